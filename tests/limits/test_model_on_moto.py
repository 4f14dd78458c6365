"""The same schedules with the same model, through the real expressions on moto."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from megallm.limits.ledger import Used
from megallm.stores.limits_table import DynamoTable, Table
from megallm.stores.limits_wire import months_in, used_in
from tests.limits.engines import moto
from tests.limits.over import TABLE, dynamo_http
from tests.limits.test_model import Schedule

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """moto, as the local stack has it."""
    with moto() as url:
        yield url


def test_the_expressions_mean_what_the_writes_mean(engine: str) -> None:
    """Each schedule with a key of its own."""
    examples = iter(range(10**6))

    class OnMoto(Schedule):
        def make_table(self) -> Table:
            self.key_id = f"model-{next(examples)}"
            http = dynamo_http(engine)
            return DynamoTable(lambda: http, TABLE)

        async def ledger(self) -> dict[int, Used]:
            request = {"TableName": TABLE, "Key": {"id": {"S": self.key_id}}, "ConsistentRead": True}
            http = dynamo_http(engine)
            item = (await http.call("GetItem", request)).get("Item", {})
            await http.aclose()
            return {month: used_in(item, month) for month in months_in(item)}

    run_state_machine_as_test(
        OnMoto,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
