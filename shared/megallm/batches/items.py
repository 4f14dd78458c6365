"""Reads one item of a batch: a line becomes a Messages request, or an error that names what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from megallm.batches.model import Job
from megallm.batches.rows import Row, Unreadable, id_field, own_id_of, row_of
from megallm.batches.templates import mark_for, request_of
from megallm.errors import GatewayError, InvalidRequest, clip
from megallm.messages.frozen import frozen
from megallm.messages.json_text import json_text
from megallm.messages.requests import MessagesRequest, parse


@frozen
class Item:
    """An item that can be sent.

    ``body`` is the Messages request as JSON, never streaming, and ``request`` the same, validated. ``passed`` are the
    row's other fields, which go into its result untouched; ``original`` is the row's JSON. ``mark`` is the name of the
    marks around the text, empty for the messages task.
    """

    record: int
    custom_id: str
    body: bytes
    passed: Mapping[str, object]
    original: bytes
    request: MessagesRequest
    mark: str = ""


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item that cannot be sent. ``custom_id`` is the record's number where the row's own could not be read.

    ``original`` is the line as it came; empty where it was too large to be kept.
    """

    record: int
    custom_id: str
    error: GatewayError
    original: bytes


def read_item(line: bytes, record: int, job: Job, *, duplicate: bool = False) -> Item | BadItem:
    """The item of a line; *duplicate* tells that an earlier record has its id. Never raises for bad content."""
    try:
        row = row_of(line)
    except Unreadable as error:
        return BadItem(record, error.given_id or str(record), error, error.original)
    custom_id = row.given_id or str(record)
    try:
        own_id = own_id_of(row, job)
        custom_id = own_id or custom_id
        if duplicate:
            raise _taken(own_id, record, id_field(job))
        return _item(row, record, custom_id, job)
    except InvalidRequest as error:
        return BadItem(record, custom_id, error, row.original)


def _taken(own_id: str | None, record: int, field: str) -> InvalidRequest:
    if own_id is None:
        return InvalidRequest(
            f"{field}: the row has none, and its number {record} is the id of an earlier record", param=field
        )
    return InvalidRequest(f"{field}: an earlier record has the id {clip(own_id)!r} too", param=field)


def _item(row: Row, record: int, custom_id: str, job: Job) -> Item:
    if job.task == "messages":
        return _messages_item(row, record, custom_id)
    return _text_item(row, record, custom_id, job)


def _messages_item(row: Row, record: int, custom_id: str) -> Item:
    params = row.fields.get("params")
    if params is None:
        raise InvalidRequest("params is required: a Messages request", param="params")
    if not isinstance(params, dict):
        raise InvalidRequest("params must be a JSON object: a Messages request", param="params")
    body = json_text(params)
    request = parse(body, MessagesRequest)
    if request.stream:
        raise InvalidRequest("stream: the requests of a batch cannot be streamed", param="stream")
    return Item(record, custom_id, body, {}, row.original, request)


def _text_item(row: Row, record: int, custom_id: str, job: Job) -> Item:
    names = text_fields(job)
    text = "\n\n".join([_text(row, name) for name in names])
    body = json_text(request_of(job, text))
    request = parse(body, MessagesRequest)
    used = {id_field(job), *names}
    passed = {name: value for name, value in row.fields.items() if name not in used}
    return Item(record, custom_id, body, passed, row.original, request, mark_for(text))


def text_fields(job: Job) -> list[str]:
    """The fields that hold a row's text."""
    names = job.options.get("text_fields")
    return [str(name) for name in names] if isinstance(names, list | tuple) else ["text"]


def _text(row: Row, name: str) -> str:
    match row.fields.get(name):
        case None:
            raise InvalidRequest(f"{name} is required: the text", param=name)
        case str() as text if "\0" in text:
            raise InvalidRequest(f"{name}: NUL characters are not allowed", param=name)
        case str() as text if text and not text.isspace():
            return text
        case str():
            raise InvalidRequest(f"{name} is empty", param=name)
        case _:
            raise InvalidRequest(f"{name} must be a string", param=name)
