"""Fields and betas of a request in our own format, against the table of its route."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from megallm.errors import InvalidRequest, clip
from megallm.messages.calls import Adaptation
from megallm.messages.compatibility import Rule, Rules
from megallm.messages.native.plan import Path, Plan, refused
from megallm.messages.native.splice import find
from megallm.messages.requests import Message, TokenCountRequest
from megallm.messages.unread import asks_for_nothing

# Without these it is no request any more: the rule for all other names (``*``) does not mean them.
_STRUCTURE = frozenset({"model", "messages", "max_tokens", "stream"})
_TURNS = "messages."
_OUTPUT_FORMAT = "output_format"
_OUTPUT_FORMAT_BETA = "structured-outputs-2025-11-13"  # with it, the older field passes as it is (C45)


def all_pass(rules: Rules) -> bool:
    """Whether the table has nothing to say, as most do."""
    return all(rule.action == "pass" for rule in rules.named.values())


def take_betas(betas: Sequence[str], rules: Rules, plan: Plan) -> tuple[str, ...]:
    """The flags that go along. Raises InvalidRequest for one that is refused."""
    taken: list[str] = []
    for flag in betas:
        rule = rules.find(flag)
        if rule.action == "refuse":
            raise InvalidRequest(
                f"anthropic-beta: {clip(flag)!r} is not to be had from this model's provider", param="anthropic-beta"
            )
        if rule.action == "drop":
            plan.adaptations.append(Adaptation(f"anthropic-beta.{flag}", "dropped"))
        else:
            taken.append(rule.to or flag)
    return tuple(dict.fromkeys(taken))


def take_fields(request: TokenCountRequest, body: bytes, rules: Rules, betas: Sequence[str], plan: Plan) -> None:
    """Plans what the rules of fields ask for. Raises InvalidRequest for a field that is refused."""
    if all_pass(rules):
        return
    known = {name: getattr(request, name) for name in type(request).model_fields if name in request.model_fields_set}
    values = {**known, **(request.model_extra or {})}
    # The request has it under its newer name; in the body it may stand as it came.
    values.pop(_OUTPUT_FORMAT, None)
    if b'"output_format"' in body and _OUTPUT_FORMAT_BETA not in betas:
        values[_OUTPUT_FORMAT] = find(body, (_OUTPUT_FORMAT,))
    _take_members({name: value for name, value in values.items() if name not in _STRUCTURE}, rules.named, (), plan)
    within = {key.removeprefix(_TURNS): rule for key, rule in rules.named.items() if key.startswith(_TURNS)}
    if within:
        _take_turns(request.messages, within, plan)


def _take_turns(messages: Sequence[Message], named: Mapping[str, Rule], plan: Plan) -> None:
    """Members beside role and content. A turn of the system that says nothing else goes with them."""
    for at, message in enumerate(messages):
        if not (extra := message.model_extra):
            continue
        path = ("messages", at)
        _take_members(extra, named, path, plan)
        if message.role == "system" and not message.content and all(plan.removes((*path, name)) for name in extra):
            plan.put(path, None)


def _take_members(values: Mapping[str, object], named: Mapping[str, Rule], path: Path, plan: Plan) -> None:
    own = Rules({name: rule for name, rule in named.items() if "." not in name})
    for name, value in values.items():
        where = (*path, name)
        rule = own.find(name)
        if value is None:  # says nothing; an upstream that does not know the field would still refuse it
            if rule.action != "pass":
                plan.put(where, None)
            continue
        if rule.action in ("drop", "refuse") and asks_for_nothing(value):
            plan.put(where, None)
            continue
        if rule.action == "refuse":
            raise refused(where, "this field")
        if rule.action == "drop":
            plan.drop(where)
        elif rule.action == "rewrite":
            plan.renamed.append((where, tuple(rule.to.split("."))))
        else:
            within = {key[len(name) + 1 :]: inner for key, inner in named.items() if key.startswith(f"{name}.")}
            _take_within(value, within, where, plan)


def _take_within(value: object, named: Mapping[str, Rule], path: Path, plan: Plan) -> None:
    """Members of an object, or of each object in a list (``tools.strict``)."""
    match value:
        case _ if not named:
            pass
        case BaseModel():
            _take_members(value.model_dump(by_alias=True, exclude_unset=True), named, path, plan)
        case dict():
            _take_members(value, named, path, plan)
        case list():
            for position, element in enumerate(value):
                _take_within(element, named, (*path, position), plan)
        case _:
            pass
