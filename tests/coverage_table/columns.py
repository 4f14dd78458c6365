"""The columns: what each kind of upstream makes of a request, asked of the real providers, none of which is called."""

import asyncio
from collections.abc import Iterable

from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.check_request import check_request
from megallm.operations.route_call import Sender
from megallm.providers.embedded.wire import to_wire
from tests.coverage_table.rows import Row
from tests.fakes import gateway
from tests.properties.upstreams import KINDS, Bench

EMBEDDED = "embedded"
# Every kind of upstream with the table that ships for it.
COLUMNS = (*KINDS, EMBEDDED)


def outcomes(rows: Iterable[Row]) -> list[tuple[Row, list[str]]]:
    """Each row, with a cell a column."""
    with asyncio.Runner() as runner:
        bench = Bench(runner)
        return [(row, [_cell(bench, kind, row) for kind in COLUMNS]) for row in rows]


def _cell(bench: Bench, kind: str, row: Row) -> str:
    body = to_json(row.request)
    try:
        request = parse(body, MessagesRequest)
        check_request(gateway(), request, Sender(betas=row.betas))
        adaptations = _adaptations(bench, kind, body, row)
    except InvalidRequest as refusal:
        return "refused" if refusal.param is not None else "refused without a name"
    changes = dict.fromkeys(adaptation.change for adaptation in adaptations)
    return f"adapted: {', '.join(changes)}" if changes else "native"


def _adaptations(bench: Bench, kind: str, body: bytes, row: Row) -> tuple[Adaptation, ...]:
    if kind != EMBEDDED:
        return bench.prepare(kind, body, row.betas, row.headers).adaptations
    # The model's file is not needed for what its translation alone decides.
    return to_wire(Call(parse(body, MessagesRequest), EMBEDDED, row.betas, body, headers=row.headers)).adaptations
