"""How many steps a check of a value against a schema takes: a few lines of schema can ask for billions.

Two references in each of twenty definitions are a million paths. The library that checks cannot be stopped, so the
paths that this value would take are walked first, and given up where they are too many. Which keywords lead on is
JSON Schema's (https://json-schema.org/draft/2020-12/json-schema-core, section 10, and its older names).
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

MOST_STEPS = 100_000

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_SAME_VALUE = ("not", "if", "then", "else")
_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_EACH_MEMBER = ("additionalProperties", "unevaluatedProperties")
_EACH_ITEM = ("items", "contains", "additionalItems", "unevaluatedItems")
_DEPENDENT = ("dependentSchemas", "dependencies")


class TooManySteps(Exception):
    """The check would take more than it may."""


def check_references(schema: object) -> str | None:
    """The first reference that does not lead into the schema itself by a path; None where all do."""
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            for name in _REFERENCES:
                target = part.get(name)
                if isinstance(target, str) and target != "#" and not target.startswith("#/"):
                    return target
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return None


def count_steps(schema: Mapping[str, object], value: object, most: int = MOST_STEPS) -> int:
    """The steps of a check. Raises TooManySteps past *most*."""
    steps = 0
    pending: list[tuple[object, object]] = [(schema, value)]
    while pending:
        steps += 1
        if steps > most:
            raise TooManySteps
        part, of = pending.pop()
        if isinstance(part, Mapping):
            pending += _of_the_value(schema, part, of)
            if isinstance(of, Mapping):
                pending += _of_members(part, of)
            elif isinstance(of, list):
                pending += _of_items(part, of)
    return steps


def _of_the_value(schema: object, part: Mapping[str, object], value: object) -> Iterator[tuple[object, object]]:
    for name in _REFERENCES:
        if isinstance(target := part.get(name), str):
            yield _resolved(schema, target), value
    for name in _SAME_VALUE:
        if name in part:
            yield part[name], value
    for name in _SAME_VALUE_LISTS:
        if isinstance(branches := part.get(name), list):
            for branch in branches:
                yield branch, value
    for name in _DEPENDENT:
        if isinstance(dependents := part.get(name), Mapping):
            for dependent in dependents.values():
                yield dependent, value


def _of_members(part: Mapping[str, object], value: Mapping[str, object]) -> Iterator[tuple[object, object]]:
    if isinstance(properties := part.get("properties"), Mapping):
        for name in properties.keys() & value.keys():
            yield properties[name], value[name]
    if isinstance(patterns := part.get("patternProperties"), Mapping):
        for pattern in patterns.values():
            for member in value.values():
                yield pattern, member
    for name in _EACH_MEMBER:
        if name in part:
            for member in value.values():
                yield part[name], member
    if "propertyNames" in part:
        for name in value:
            yield part["propertyNames"], name


def _of_items(part: Mapping[str, object], value: list[object]) -> Iterator[tuple[object, object]]:
    for name in _EACH_ITEM:
        if isinstance(items := part.get(name), list):
            yield from zip_longest(items[: len(value)], value[: len(items)])
        elif name in part:
            for item in value:
                yield part[name], item
    if isinstance(prefix := part.get("prefixItems"), list):
        yield from zip_longest(prefix[: len(value)], value[: len(prefix)])


def _resolved(schema: object, target: str) -> object:
    """What a path leads to; nothing, where the library will say so itself."""
    found = schema
    for step in target.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
