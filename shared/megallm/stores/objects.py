"""``ObjectStore`` over one S3 bucket.

A version is S3's id of it; where the bucket keeps no versions it is the ETag in quotes, which S3 compares (If-Match).
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from megallm.errors import InternalError
from megallm.operations.batch_ports import ObjectChanged, ObjectHead
from megallm.stores.aws import told_as
from megallm.stores.objects_writer import MARK, S3Writer, status_of, version_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES = 1024 * 1024
_DELETIONS_A_REQUEST = 1000
# boto3 repeats requests, but not the reading of a body that breaks off.
_READINGS = 4
# A conditional write that meets another one of its key is to be sent again.
_WRITINGS = 4
_BROKEN_OFF = (HTTPClientError, IncompleteReadError, ResponseStreamingError)
# Gone, deleted (the version is a mark of it), another one than asked for.
_CHANGED = frozenset({404, 405, 412})
_BEYOND_THE_END = 416
_TAKEN = 412
_AT_THE_SAME_TIME = 409


class S3Objects:
    """Raises InternalError where S3 fails. *connect* makes the client when it is first needed."""

    def __init__(self, connect: Callable[[], "S3Client"], bucket: str) -> None:
        self._connect = connect
        self._bucket = bucket

    @cached_property
    def _client(self) -> "S3Client":
        return self._connect()

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        with told_as("look for a file"):
            try:
                answer = self._client.head_object(**self._pinned(key, version))
            except ClientError as error:
                if status_of(error) in _CHANGED:
                    return None
                raise
        metadata = {name: value for name, value in answer["Metadata"].items() if name != MARK}
        return ObjectHead(key, version_of(answer), answer["ContentLength"], metadata)

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        if end <= start:
            return b""
        body = bytearray()
        for piece in self._pieces(key, version, start, end):
            body += piece
        return bytes(body)

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        return self._pieces(key, version, 0, None)

    def put(self, key: str, body: bytes) -> str:
        with told_as("write a file"):
            return version_of(self._client.put_object(Bucket=self._bucket, Key=key, Body=body))

    def put_new(self, key: str, body: bytes) -> bool:
        mark = secrets.token_hex(16)
        with told_as("write a file"):
            for _ in range(_WRITINGS):
                try:
                    self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", Metadata={MARK: mark}
                    )
                except ClientError as error:
                    if status_of(error) == _AT_THE_SAME_TIME:
                        continue
                    if status_of(error) != _TAKEN:
                        raise
                    return self._has_mark(key, mark)
                return True
        raise InternalError("The gateway could not write a file: others write it all the time")

    def writer(self, key: str) -> S3Writer:
        return S3Writer(self._client, self._bucket, key)

    def list(self, prefix: str) -> Iterator[str]:
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix))
        while True:
            with told_as("list files"):
                page = next(pages, None)
            if page is None:
                return
            for found in page.get("Contents", []):
                yield found["Key"]

    def delete(self, keys: Iterable[str]) -> None:
        left = iter(keys)
        while some := list(islice(left, _DELETIONS_A_REQUEST)):
            with told_as("delete files"):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            if answer.get("Errors"):
                raise InternalError(f"The gateway could not delete {len(answer['Errors'])} files")

    def _has_mark(self, key: str, mark: str) -> bool:
        """Whether the object that took the key was written by the call itself, whose first answer was lost."""
        return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"].get(MARK) == mark

    def _pieces(self, key: str, version: str, start: int, end: int | None) -> Iterator[bytes]:
        """From *start* up to *end*, or all; a reading that breaks off goes on where it was, in the same version."""
        failures = 0
        while end is None or start < end:
            try:
                answer = self._opened(key, version, start, end)
                if answer is None:
                    return
                version = version_of(answer)
                # Whoever ignores a range, as HTTP allows, gives the whole object.
                at = start if "ContentRange" in answer else 0
                with closing(answer["Body"]) as body:
                    while piece := body.read(_PIECE_BYTES):
                        wanted = piece[max(0, start - at) : None if end is None else max(0, end - at)]
                        at += len(piece)
                        if wanted:
                            start += len(wanted)
                            failures = 0
                            yield wanted
            except _BROKEN_OFF as error:
                failures += 1
                if failures == _READINGS:
                    raise InternalError("The gateway could not read a file: it broke off") from error
            else:
                return

    def _opened(self, key: str, version: str, start: int, end: int | None) -> Any:  # Any: boto3's answer
        """None where the object ends before *start*."""
        request = self._pinned(key, version)
        if start or end is not None:
            request["Range"] = f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"
        try:
            return self._client.get_object(**request)
        except ClientError as error:
            if status_of(error) in _CHANGED:
                raise ObjectChanged(key) from error
            if status_of(error) == _BEYOND_THE_END:
                return None
            raise InternalError("The gateway could not read a file: AWS did not do it") from error
        except _BROKEN_OFF:
            raise
        except BotoCoreError as error:
            raise InternalError("The gateway could not read a file: AWS did not do it") from error

    def _pinned(self, key: str, version: str) -> dict[str, Any]:
        request: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        if version.startswith('"'):
            request["IfMatch"] = version
        elif version:
            request["VersionId"] = version
        return request
