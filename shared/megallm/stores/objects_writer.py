"""A large S3 object, written piece by piece in flat memory: a multipart upload, or one put where it stayed small."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from megallm.errors import InternalError
from megallm.stores.aws import code_of, told_as

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# boto3 sends one with each part by itself; S3 takes it if the upload was begun with it, and wants it at the end, too.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
_CHECKSUM: Literal["CRC32"] = "CRC32"
MARK = "megallm-write"  # metadata: which call wrote an object
# S3 takes parts from 5 MiB on, and at most 10,000 of them.
PART_BYTES = 8 * 1024 * 1024
_PARTS_OF_A_SIZE = 1000  # so many, then larger ones: 10,000 parts would otherwise end at 80 GB
_NO_SUCH_UPLOAD = "NoSuchUpload"
_NO_VERSIONS = "null"  # what S3 calls the version of an object that was written before the bucket kept any


def status_of(error: ClientError) -> int:
    """The HTTP status that S3 refused with."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def version_of(answer: Mapping[str, Any]) -> str:
    """What pins the object that an answer is about: its version id, else its ETag, quotes included."""
    version = answer.get("VersionId")
    return str(version if version and version != _NO_VERSIONS else answer["ETag"])


class S3Writer:
    """``ObjectWriter``. After a failure nothing is left behind."""

    def __init__(self, client: "S3Client", bucket: str, key: str) -> None:
        self._client = client
        self._where: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._mark = secrets.token_hex(16)
        self._waiting = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, piece: bytes) -> None:
        self._waiting += piece
        while len(self._waiting) >= (size := PART_BYTES * (1 + len(self._parts) // _PARTS_OF_A_SIZE)):
            part = bytes(memoryview(self._waiting)[:size])
            del self._waiting[:size]
            self._upload(part)

    def commit(self) -> str:
        if self._upload_id is None:
            with told_as("write a file"):
                return version_of(self._client.put_object(**self._where, Body=bytes(self._waiting)))
        if self._waiting:
            self._upload(bytes(self._waiting))
            self._waiting.clear()
        try:
            with told_as("write a file"):
                return self._completed(self._upload_id)
        except InternalError:
            self.abort()
            raise

    def abort(self) -> None:
        self._waiting.clear()
        if self._upload_id is not None:
            # The bucket's lifecycle does it as well, after a day.
            with suppress(BotoCoreError, ClientError):
                self._client.abort_multipart_upload(**self._where, UploadId=self._upload_id)
            self._upload_id = None

    def _upload(self, part: bytes) -> None:
        number = len(self._parts) + 1
        try:
            with told_as("write a file"):
                if self._upload_id is None:
                    created = self._client.create_multipart_upload(
                        **self._where, Metadata={MARK: self._mark}, ChecksumAlgorithm=_CHECKSUM
                    )
                    self._upload_id = created["UploadId"]
                answer = self._client.upload_part(
                    **self._where, UploadId=self._upload_id, PartNumber=number, Body=part, ChecksumAlgorithm=_CHECKSUM
                )
        except InternalError:
            self.abort()
            raise
        done: CompletedPartTypeDef = {"ETag": answer["ETag"], "PartNumber": number}
        if "ChecksumCRC32" in answer:  # not with every S3 that is none
            done["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._parts.append(done)

    def _completed(self, upload_id: str) -> str:
        try:
            return version_of(
                self._client.complete_multipart_upload(
                    **self._where, UploadId=upload_id, MultipartUpload={"Parts": self._parts}
                )
            )
        except ClientError as error:
            if code_of(error) != _NO_SUCH_UPLOAD:
                raise
            # It was completed, and the answer was lost, if the object says so.
            head = self._client.head_object(**self._where)
            if head["Metadata"].get(MARK) != self._mark:
                raise
            return version_of(head)
