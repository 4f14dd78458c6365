"""What only S3 does: versions, lost answers, bodies that break off, refusals."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from moto import mock_aws

from megallm.errors import InternalError
from megallm.operations.batch_ports import ObjectChanged
from megallm.stores.objects import S3Objects
from megallm.stores.objects_writer import PART_BYTES
from tests.stores.batch_tables import AWS
from tests.stores.lost_answers import lose_the_first_answer, refuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NAMES = (f"versioned-{number}" for number in count())


@pytest.fixture(scope="module")
def client() -> Iterator["S3Client"]:
    with mock_aws():
        yield AWS.s3()


@pytest.fixture
def bucket(client: "S3Client") -> str:
    name = next(_NAMES)
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versions(client: "S3Client", bucket: str) -> S3Objects:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return S3Objects(lambda: client, bucket)


@pytest.fixture
def no_versions(client: "S3Client", bucket: str) -> S3Objects:
    return S3Objects(lambda: client, bucket)


def test_a_version_stays_readable_when_the_object_is_written_again_or_deleted(versions: S3Objects) -> None:
    """A batch works on what was dropped, whatever becomes of it."""
    first = versions.put("k", b"first")
    versions.put("k", b"second")
    versions.delete(["k"])

    head = versions.head("k", first)

    assert (versions.read("k", 0, 9, first), b"".join(versions.stream("k", first))) == (b"first", b"first")
    assert head is not None
    assert (head.version, head.size, versions.head("k")) == (first, 5, None)


def test_without_versions_an_object_that_changed_is_not_read(no_versions: S3Objects) -> None:
    """Half of the one and half of the other would be worse than none."""
    first = no_versions.put("k", b"first")
    no_versions.put("k", b"second")

    assert (first[0], no_versions.head("k", first)) == ('"', None)
    with pytest.raises(ObjectChanged):
        no_versions.read("k", 0, 3, first)


def test_a_version_that_never_was_is_not_read(versions: S3Objects) -> None:
    """As one that was removed for good."""
    versions.put("k", b"first")

    assert versions.head("k", "none") is None
    with pytest.raises(ObjectChanged):
        versions.read("k", 0, 3, "none")


def test_metadata_of_a_dropped_object_is_told(client: "S3Client", bucket: str) -> None:
    """Options of a job may stand there."""
    client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"style": "eli5"})

    head = S3Objects(lambda: client, bucket).head("k")

    assert head is not None
    assert head.metadata == {"style": "eli5"}


def test_a_new_object_whose_answer_was_lost_counts_as_written(client: "S3Client", versions: S3Objects) -> None:
    """boto3 sends it again and finds its key taken, by itself."""
    lost = lose_the_first_answer(client, "PutObject")

    answers = [versions.put_new("k", b"mine"), versions.put_new("k", b"mine")]

    assert (lost, answers) == (["PutObject"], [True, False])


class Conflicting:
    """A client whose first writes meet another one of the same key, of which S3 does not know yet how it ends."""

    def __init__(self, client: "S3Client", times: int) -> None:
        self._client = client
        self._left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **request: Any) -> Any:
        if self._left:
            self._left -= 1
            error: Any = {"Error": {"Code": "ConditionalRequestConflict"}, "ResponseMetadata": {"HTTPStatusCode": 409}}
            raise ClientError(error, "PutObject")
        return self._client.put_object(**request)


def test_a_new_object_that_meets_another_write_is_written_again(
    client: "S3Client", versions: S3Objects, bucket: str
) -> None:
    """S3 wants that of a conditional write; for ever is too long, though."""
    few, many = Conflicting(client, 2), Conflicting(client, 99)

    written = S3Objects(lambda: few, bucket).put_new("k", b"x")  # type: ignore[arg-type, return-value]  # what it uses

    assert (written, versions.read("k", 0, 9)) == (True, b"x")
    with pytest.raises(InternalError):
        S3Objects(lambda: many, bucket).put_new("other", b"x")  # type: ignore[arg-type, return-value]  # as above


def test_a_large_object_whose_last_answer_was_lost_is_whole(client: "S3Client", versions: S3Objects) -> None:
    """S3 knows the upload no more then."""
    writer = versions.writer("k")
    writer.write(b"x" * PART_BYTES)
    writer.write(b"y")
    lost = lose_the_first_answer(client, "CompleteMultipartUpload")

    version = writer.commit()

    head = versions.head("k")
    assert head is not None
    assert (lost, head.version, head.size, head.metadata) == (
        ["CompleteMultipartUpload"],
        version,
        PART_BYTES + 1,
        {},
    )


def test_a_large_object_whose_upload_is_gone_is_whole_among_threads(client: "S3Client", versions: S3Objects) -> None:
    """Whatever class botocore gives the refusal."""
    writer = versions.writer("k")
    writer.write(b"x" * PART_BYTES)
    writer.write(b"y")
    refuse(client, "CompleteMultipartUpload", "NoSuchUpload")

    version = writer.commit()

    head = versions.head("k")
    assert head is not None
    assert (head.version, head.size) == (version, PART_BYTES + 1)


class FullAfterOnePart:
    """A client that takes no second part."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **request: Any) -> Any:
        if request["PartNumber"] > 1:
            raise ClientError({"Error": {"Code": "InternalError", "Message": ""}}, "UploadPart")
        return self._client.upload_part(**request)


def test_a_writer_that_fails_leaves_no_parts(client: "S3Client", versions: S3Objects, bucket: str) -> None:
    """They would be paid for until somebody finds them."""
    full = FullAfterOnePart(client)
    writer = S3Objects(lambda: full, bucket).writer("k")  # type: ignore[arg-type, return-value]  # what the store uses
    writer.write(b"x" * PART_BYTES)
    begun = client.list_multipart_uploads(Bucket=bucket)["Uploads"]

    with pytest.raises(InternalError):
        writer.write(b"x" * PART_BYTES)

    assert len(begun) == 1
    assert (client.list_multipart_uploads(Bucket=bucket).get("Uploads", []), versions.head("k")) == ([], None)


class BreakingOff:
    """A client whose bodies break off after some bytes, so many times; remembers the ranges that were asked for."""

    def __init__(self, client: "S3Client", after: int, times: int) -> None:
        self._client = client
        self._after = after
        self._left = times
        self.ranges: list[str | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **request: Any) -> Any:
        self.ranges.append(request.get("Range"))
        answer = self._client.get_object(**request)
        if not self._left:
            return answer
        self._left -= 1
        return {**answer, "Body": _Broken(answer["Body"].read(self._after))}


class _Broken:
    def __init__(self, body: bytes) -> None:
        self._pieces = [body] if body else []

    def read(self, _: int) -> bytes:
        if self._pieces:
            return self._pieces.pop()
        raise ResponseStreamingError(error="broken off")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("read", [lambda o: o.read("k", 1, 9), lambda o: b"".join(o.stream("k"))[1:9]])
def test_a_reading_that_breaks_off_goes_on_where_it_was(
    client: "S3Client", versions: S3Objects, bucket: str, read: Callable[[S3Objects], bytes]
) -> None:
    """In the version that it began with; boto3 repeats requests, but not the reading of bodies."""
    versions.put("k", b"0123456789")
    breaking = BreakingOff(client, after=3, times=2)

    body = read(S3Objects(lambda: breaking, bucket))  # type: ignore[arg-type, return-value]  # what the store uses

    assert (body, len(breaking.ranges)) == (b"12345678", 3)


def test_a_reading_that_always_breaks_off_is_our_fault(client: "S3Client", versions: S3Objects, bucket: str) -> None:
    """After some tries without a byte."""
    versions.put("k", b"0123456789")
    breaking = BreakingOff(client, after=0, times=99)

    with pytest.raises(InternalError):
        S3Objects(lambda: breaking, bucket).read("k", 0, 9)  # type: ignore[arg-type, return-value]  # as above

    assert len(breaking.ranges) == 4


class Unranged:
    """A client of a server that gives the whole object, whatever range is asked for."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **request: Any) -> Any:
        request.pop("Range", None)
        return self._client.get_object(**request)


def test_a_server_that_ignores_ranges_gives_the_right_bytes_too(
    client: "S3Client", versions: S3Objects, bucket: str
) -> None:
    """HTTP allows it, and at least one S3-alike does it for objects with versions."""
    body = bytes(number % 251 for number in range(3_000_000))
    version = versions.put("k", body)
    objects = S3Objects(lambda: Unranged(client), bucket)  # type: ignore[arg-type, return-value]  # what it uses

    assert objects.read("k", 5, 2_500_000, version) == body[5:2_500_000]
    assert objects.read("k", 2_999_998, 9_000_000, version) == body[-2:]


def test_more_objects_than_one_request_deletes_are_deleted(client: "S3Client", versions: S3Objects) -> None:
    """S3 takes 1,000 at a time."""
    keys = [f"k/{number}" for number in range(1001)]
    for key in keys[::100]:
        versions.put(key, b"")
    lost = lose_the_first_answer(client, "DeleteObjects")

    versions.delete(keys)

    assert (lost, list(versions.list("k/"))) == (["DeleteObjects"], [])


@pytest.mark.parametrize(
    "call",
    [
        lambda objects: objects.put("k", b""),
        lambda objects: objects.put_new("k", b""),
        lambda objects: objects.writer("k").commit(),
        lambda objects: objects.delete(["k"]),
        lambda objects: list(objects.list("")),
    ],
)
def test_a_missing_bucket_is_our_fault(client: "S3Client", call: Callable[[S3Objects], object]) -> None:
    """The message tells nothing of it."""
    with pytest.raises(InternalError) as caught:
        call(S3Objects(lambda: client, "no-such-bucket"))

    assert "no-such-bucket" not in caught.value.message
