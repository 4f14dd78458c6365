"""The request body for an upstream that speaks our own format: the caller's bytes, but for what must change."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic_core import to_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.capabilities import take_features
from megallm.messages.native.contents import take_contents
from megallm.messages.native.fields import take_betas, take_fields
from megallm.messages.native.plan import Plan
from megallm.messages.native.splice import find, splice
from megallm.messages.requests import MessagesRequest, TokenCountRequest

_MODEL = re.compile(rb'("model"\s*:\s*)"[^"\\]*"')
_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class NativeBody:
    """What goes upstream, and what was changed about it."""

    body: bytes
    betas: tuple[str, ...]
    adaptations: tuple[Adaptation, ...]


def native_body(
    call: Call[TokenCountRequest],
    *,
    model: str | None,
    extra: Mapping[str, object] = _NOTHING,
    without: Collection[str] = (),
) -> NativeBody:
    """The body with *model* for its model (None leaves it), *extra* members set, those of *without* left out.

    What the table of the call's route says is done, ``max_tokens`` is held to the model's cap, and thinking that this
    gateway signed is left out. Raises InvalidRequest for what the table refuses.
    """
    request, takes, plan = call.request, call.takes, Plan()
    body = call.body or to_json(request.model_dump(by_alias=True, exclude_unset=True))
    betas = take_betas(call.betas, takes.betas, plan)
    take_fields(request, body, takes.fields, betas, plan)
    take_contents(request, takes.blocks, plan)
    take_features(request, takes.features, plan)
    _rename(body, plan)
    cap = call.max_output_tokens
    if isinstance(request, MessagesRequest) and cap is not None and request.max_tokens > cap:
        plan.put(("max_tokens",), str(cap))
        plan.adaptations.append(Adaptation("max_tokens", str(cap)))
    for name in without:
        if name in request.model_fields_set:
            plan.put((name,), None)
    for name, value in extra.items():
        plan.put((name,), to_json(value).decode())
    return NativeBody(_edited(body, request.model, model, plan), betas, tuple(plan.adaptations))


def _edited(body: bytes, named: str, model: str | None, plan: Plan) -> bytes:
    if model is not None:
        if not plan.edits and _is_named_once(body):
            if named == model:
                return body
            if found := _MODEL.search(body):
                return b"%b%b%b" % (body[: found.end(1)], to_json(model), body[found.end() :])
        plan.put(("model",), to_json(model).decode())
    return splice(body, plan.edits) if plan.edits else body


def _is_named_once(body: bytes) -> bool:
    """The word once, and none of its letters in escapes: then it is the member, and there is no second one."""
    return body.count(b'"model"') == 1 and b"\\u006" not in body


def _rename(body: bytes, plan: Plan) -> None:
    """Moves fields, whose text stays as it is; one whose new place is taken is dropped."""
    for old, new in plan.renamed:
        if find(body, new) not in (None, "null"):
            plan.drop(old)
        elif (text := find(body, old)) is not None:
            plan.put(old, None)
            plan.put(new, text)
