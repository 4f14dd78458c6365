"""What every store of objects does: the one in memory, and S3's on moto, with and without versions."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from megallm.operations.batch_ports import ObjectChanged, ObjectStore
from megallm.stores.objects import S3Objects
from megallm.stores.objects_writer import PART_BYTES
from tests.batch_fakes import World
from tests.stores.batch_tables import AWS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NAMES = (f"bucket-{number}" for number in count())


@pytest.fixture(scope="module")
def client() -> Iterator["S3Client"]:
    with mock_aws():
        yield AWS.s3()


@pytest.fixture(params=["memory", "versions", "no versions"])
def objects(request: pytest.FixtureRequest, client: "S3Client") -> ObjectStore:
    if request.param == "memory":
        return World().ports().objects
    bucket = next(_NAMES)
    client.create_bucket(Bucket=bucket)
    if request.param == "versions":
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return S3Objects(lambda: client, bucket)


def test_an_object_comes_back_whole_and_by_ranges(objects: ObjectStore) -> None:
    """*end* is the first byte that is not wanted; beyond the object's end there is nothing."""
    version = objects.put("k", b"0123456789")

    ranges = [(0, 10), (2, 5), (5, 5), (8, 99), (10, 20)]
    read = [objects.read("k", start, end, version) for start, end in ranges]

    assert read == [b"0123456789", b"234", b"", b"89", b""]
    assert objects.read("k", 0, 4) == b"0123"
    assert b"".join(objects.stream("k", version)) == b"".join(objects.stream("k")) == b"0123456789"


def test_the_head_tells_version_and_size(objects: ObjectStore) -> None:
    """With the version that reading takes."""
    version = objects.put("k", b"0123456789")

    heads = [objects.head("k"), objects.head("k", version)]

    assert [(head.key, head.version, head.size, head.metadata) for head in heads if head is not None] == [
        ("k", version, 10, {})
    ] * 2


def test_an_empty_object_is_read_as_nothing(objects: ObjectStore) -> None:
    """S3 refuses every range of it."""
    objects.put("k", b"")

    assert objects.read("k", 0, 100) == b"".join(objects.stream("k")) == b""


def test_a_missing_object_has_no_head_and_cannot_be_read(objects: ObjectStore) -> None:
    """Whoever reads is told that it changed."""
    assert objects.head("none") is None
    with pytest.raises(ObjectChanged):
        objects.read("none", 0, 5)
    with pytest.raises(ObjectChanged):
        next(objects.stream("none"))


def test_a_taken_key_is_not_written_again(objects: ObjectStore) -> None:
    """The first body stands; its metadata is nobody's business."""
    answers = [objects.put_new("k", body) for body in (b"first", b"second", b"first")]

    assert answers == [True, False, False]
    head = objects.head("k")
    assert head is not None
    assert (objects.read("k", 0, 9), head.metadata) == (b"first", {})


@pytest.mark.parametrize("size", [0, 10, PART_BYTES, 2 * PART_BYTES + 5])
def test_a_writer_makes_one_object_of_many_pieces(objects: ObjectStore, size: int) -> None:
    """It is there when it is committed, and not before; pieces may have any size."""
    body = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    body = body[:size]
    writer = objects.writer("k")
    for at in range(0, size, 3_000_000):
        writer.write(body[at : at + 3_000_000])
    before = objects.head("k")

    version = writer.commit()

    assert before is None
    assert b"".join(objects.stream("k", version)) == body


def test_an_aborted_writer_leaves_nothing(objects: ObjectStore) -> None:
    """Not even parts; it may be aborted twice."""
    writer = objects.writer("k")
    writer.write(b"x" * (PART_BYTES + 1))

    writer.abort()
    writer.abort()

    assert objects.head("k") is None


def test_a_list_has_all_keys_of_a_prefix_in_order(objects: ObjectStore) -> None:
    """And no others."""
    for key in ("a/2", "b/1", "a/10", "a/1"):
        objects.put(key, b"x")

    assert list(objects.list("a/")) == ["a/1", "a/10", "a/2"]
    assert list(objects.list("none/")) == []


def test_deleted_objects_are_gone(objects: ObjectStore) -> None:
    """Also where some of them never were."""
    for key in ("a", "b"):
        objects.put(key, b"x")

    objects.delete(["a", "never"])
    objects.delete([])

    assert (objects.head("a"), list(objects.list(""))) == (None, ["b"])
