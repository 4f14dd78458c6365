"""The parts of requests that leave no trace in what an upstream is sent, and of which nothing is told either."""

import asyncio
from collections.abc import Iterable, Mapping

from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.embedded.wire import to_wire
from tests.coverage_table.columns import COLUMNS, EMBEDDED
from tests.coverage_table.rows import LEAST, Json, Row
from tests.properties.upstreams import Bench

# Of these nothing is lost.
SAME_ANYWAY: Mapping[str, str] = {
    "system text": "the same words as the row before",
    "tool_result.content text": "the same words as the row before",
    "custom.type": "every tool without a type is a custom one",
    "custom.eager_input_streaming": "these servers stream the input of tools as it is written",
    "tool_use.caller": "a direct call is every call without a caller",
    "20 stop sequences": "the gateway looks for them itself",
    "any.disable_parallel_tool_use": "a forced call of the embedded model is one call",
    "tool.disable_parallel_tool_use": "a forced call of the embedded model is one call",
    "none": "no tools are sent at all",
}


def unsent(rows: Iterable[Row]) -> dict[str, list[str]]:
    """By label, the kinds of upstreams that are sent the same with the part of the row and without it, unadapted."""
    found: dict[str, list[str]] = {}
    body_rows = [row for row in rows if not row.betas and not row.headers]
    requests = {(row.section, row.label): row.request for row in body_rows}
    with asyncio.Runner() as runner:
        bench = Bench(runner)
        for row in body_rows:
            without = _without(row, requests)
            kinds = [kind for kind in COLUMNS if _is_unsent(bench, kind, row.request, without)]
            if kinds:
                found[row.label] = kinds
    return found


def _without(row: Row, requests: Mapping[tuple[str, str], Json]) -> Json:
    """The request of the nearest row that this one adds a part to; else the least of all requests."""
    label = row.label
    while (end := max(label.rfind("."), label.rfind(" "))) > 0:
        label = label[:end].rstrip(" =")
        if (row.section, label) in requests:
            return requests[row.section, label]
    return LEAST


def _is_unsent(bench: Bench, kind: str, request: Json, without: Json) -> bool:
    try:
        sent, adaptations = _sent(bench, kind, request)
        return not adaptations and sent == _sent(bench, kind, without)[0]
    except InvalidRequest:
        return False


def _sent(bench: Bench, kind: str, request: Json) -> tuple[object, tuple[Adaptation, ...]]:
    body = to_json(request)
    if kind != EMBEDDED:
        return bench.send(kind, body)
    wire = to_wire(Call(parse(body, MessagesRequest), EMBEDDED, body=body))
    return (wire.prompt, wire.parameters, wire.stop_sequences, wire.constraint, wire.parallel), wire.adaptations
