"""Short ways to make the body for a native upstream, and to see what was adapted."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import to_json

from megallm.catalog.compatibility import TakesTable
from megallm.messages.calls import Call
from megallm.messages.compatibility import EVERYTHING, Takes
from megallm.messages.native.body import NativeBody, native_body
from megallm.messages.requests import MessagesRequest, parse


def call_of(body: bytes, takes: Takes = EVERYTHING, *, cap: int | None = None, **more: Any) -> Call[MessagesRequest]:
    return Call(parse(body, MessagesRequest), "upstream", body=body, takes=takes, max_output_tokens=cap, **more)


def body_of(
    body: bytes,
    *,
    model: str | None = None,
    takes: Takes = EVERYTHING,
    cap: int | None = None,
    betas: tuple[str, ...] = (),
    extra: Mapping[str, object] | None = None,
    without: Collection[str] = (),
) -> NativeBody:
    return native_body(call_of(body, takes, cap=cap, betas=betas), model=model, extra=extra or {}, without=without)


def request(**fields: object) -> bytes:
    """A small body."""
    return to_json({"model": "asked", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **fields})


def table(**parts: Mapping[str, Any]) -> Takes:
    return TakesTable.model_validate(parts).takes()


def changes(got: NativeBody) -> list[tuple[str, str]]:
    return [(adaptation.field, adaptation.change) for adaptation in got.adaptations]
