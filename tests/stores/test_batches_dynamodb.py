"""What only DynamoDB's store of batches has to bear: lost answers, writes in each other's way, failures."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from megallm.batches.model import Batch, Counts, Part, Spent
from megallm.errors import InternalError
from megallm.operations.part_lease import LEASE_SECONDS
from megallm.stores.batch_items import KEPT_SECONDS, batch_key
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable
from tests.stores.batch_tables import BATCH, NOW, PARTS, mocked_client, new_table, store_over
from tests.stores.lost_answers import lose_the_first_answer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SPENT = Spent(10, 5, 7, 2, 1)
COUNTS = Counts(succeeded=3)


@pytest.fixture(scope="module")
def client() -> Iterator["DynamoDBClient"]:
    with mocked_client() as client:
        yield client


@pytest.fixture
def table(client: "DynamoDBClient") -> str:
    return new_table(client)


@pytest.fixture
def store(client: "DynamoDBClient", table: str) -> DynamoBatches:
    return store_over(client, table)


def begun(store: DynamoBatches) -> Batch:
    store.create(BATCH)
    store.add_parts(PARTS)
    return store.start(BATCH.id, total=5, parts=2, lines="l", lines_version="v")


def claimed(store: DynamoBatches) -> Part:
    part = store.claim(BATCH.id, 1, now=NOW, lease_seconds=60)
    assert part is not None
    return part


def contents(client: "DynamoDBClient", table: str) -> list[dict[str, Any]]:
    """All items, but for the tokens by which calls know their own claims again."""
    items = client.scan(TableName=table)["Items"]
    return [{name: value for name, value in item.items() if name != "claimed_by"} for item in items]


# What is done first, what is done with its answer lost, and by which call of AWS.
STEPS: dict[str, tuple[Callable[[DynamoBatches], Any], Callable[[DynamoBatches, Any], object], str]] = {
    "create": (lambda store: None, lambda store, _: store.create(BATCH), "TransactWriteItems"),
    "add_parts": (lambda store: store.create(BATCH), lambda store, _: store.add_parts(PARTS), "TransactWriteItems"),
    "start": (
        lambda store: store.create(BATCH),
        lambda store, _: store.start(BATCH.id, total=5, parts=2, lines="l", lines_version="v"),
        "UpdateItem",
    ),
    "refuse": (
        lambda store: store.create(BATCH),
        lambda store, _: store.refuse(BATCH.id, "empty", NOW),
        "UpdateItem",
    ),
    "queued": (begun, lambda store, _: store.queued(BATCH.id, [1], NOW), "UpdateItem"),
    "claim": (begun, lambda store, _: store.claim(BATCH.id, 1, now=NOW, lease_seconds=60), "UpdateItem"),
    "renew": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.renew(part, now=NOW + 9, lease_seconds=60),
        "UpdateItem",
    ),
    "begin": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.begin(part, deaths=1, begun_with=2),
        "UpdateItem",
    ),
    "release": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.release(part),
        "UpdateItem",
    ),
    "checkpoint": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.checkpoint(part, SPENT, finished=2),
        "TransactWriteItems",
    ),
    "complete": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.complete(part, COUNTS, SPENT),
        "TransactWriteItems",
    ),
    "hold": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.hold(part, 60, 100),
        "TransactWriteItems",
    ),
    "release what is held": (
        lambda store: (begun(store), store.hold(claimed(store), 60, 100))[1],
        lambda store, part: store.release(part),
        "TransactWriteItems",
    ),
    "add_late": (
        lambda store: (begun(store), claimed(store))[1],
        lambda store, part: store.add_late(part, "0001-rest", SPENT),
        "TransactWriteItems",
    ),
    "stop": (begun, lambda store, _: store.stop(BATCH.id, "canceled", NOW), "UpdateItem"),
    "stop while indexing": (
        lambda store: store.create(BATCH),
        lambda store, _: store.stop(BATCH.id, "canceled", NOW),
        "UpdateItem",
    ),
    "end": (begun, lambda store, _: store.end(BATCH.id, NOW), "UpdateItem"),
    "told": (
        lambda store: (begun(store), store.end(BATCH.id, NOW)),
        lambda store, _: store.told(BATCH.id),
        "TransactWriteItems",
    ),
    "delete": (
        lambda store: (begun(store), store.end(BATCH.id, NOW))[1],
        lambda store, batch: store.delete(batch),
        "TransactWriteItems",
    ),
}


def done(client: "DynamoDBClient", step: str, *, losing: bool) -> tuple[object, list[dict[str, Any]], int]:
    """The step's answer, what its table holds then, and how many answers were lost."""
    before, act, operation = STEPS[step]
    table = new_table(client)
    store = store_over(client, table)
    given = before(store)
    lost = lose_the_first_answer(client, operation) if losing else []
    answer = act(store, given)
    return answer, contents(client, table), len(lost)


@pytest.mark.parametrize("step", STEPS)
def test_a_write_whose_answer_is_lost_has_its_effect_once_and_the_same_answer(
    client: "DynamoDBClient", step: str
) -> None:
    """boto3 sends it again; moto, unlike DynamoDB, does not know the token of a transaction, so conditions have to."""
    undisturbed, expected, _ = done(client, step, losing=False)

    answer, disturbed, lost = done(client, step, losing=True)

    assert lost == 1
    assert (answer, disturbed) == (undisturbed, expected)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "claim"])
def test_a_write_delivered_twice_has_its_effect_once(
    client: "DynamoDBClient", store: DynamoBatches, table: str, step: str
) -> None:
    """By a caller who heard nothing of the first one."""
    before, act, _ = STEPS[step]
    given = before(store)
    first = act(store, given)
    after_one = contents(client, table)

    second = act(store, given)

    assert (second, contents(client, table)) == (first, after_one)


def test_one_of_two_claims_at_the_same_time_gets_the_part(store: DynamoBatches) -> None:
    """The other one's answer is None, however the two race."""
    begun(store)

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.claim(BATCH.id, 1, now=NOW, lease_seconds=60), range(8)))

    assert [part.attempt for part in claims if part is not None] == [1]


def test_money_that_many_want_at_the_same_time_is_given_once(store: DynamoBatches) -> None:
    """Eight parts want ten each of fifty-five."""
    store.create(BATCH)
    store.add_parts([Part(BATCH.id, number, number, number + 1, number, 1) for number in range(8)])
    parts = [store.claim(BATCH.id, number, now=NOW, lease_seconds=60) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda part: part and store.hold(part, 10, 55), parts))

    assert sorted(part.held for part in held if part is not None) == [0, 0, 0, 10, 10, 10, 10, 10]
    batch = store.get(BATCH.id)
    assert batch is not None
    assert batch.committed == 50


def test_everything_of_a_batch_is_forgotten_in_time(client: "DynamoDBClient", store: DynamoBatches, table: str) -> None:
    """By the table's time to live, also what a broken deletion left."""
    begun(store)

    forgotten = {item["ttl"]["N"] for item in contents(client, table)}

    assert forgotten == {str(int(NOW) + KEPT_SECONDS)}


def test_a_batch_that_has_not_ended_is_not_deleted(store: DynamoBatches) -> None:
    """Whoever asks for that has not looked."""
    batch = begun(store)

    with pytest.raises(InternalError):
        store.delete(batch)

    assert store.get(BATCH.id) == batch


def test_a_deletion_that_broke_off_can_be_repeated(client: "DynamoDBClient", store: DynamoBatches, table: str) -> None:
    """The record goes last; a list never shows what has none."""
    begun(store)
    ended = store.end(BATCH.id, NOW)
    store.told(BATCH.id)
    client.delete_item(TableName=table, Key=batch_key(BATCH.id))

    shown = store.list("operator", limit=5, after_id=None, before_id=None)
    store.delete(ended)

    assert shown == ([], False)
    assert [item["pk"]["S"] for item in contents(client, table)] == ["owner#operator"]


def test_nothing_is_written_of_what_is_not_there(client: "DynamoDBClient", store: DynamoBatches, table: str) -> None:
    """UpdateItem would make an item of it: a part that was deleted, and a batch whose part outlived it."""
    begun(store)
    part = claimed(store)
    client.delete_item(TableName=table, Key=batch_key(BATCH.id))
    before = contents(client, table)

    store.queued(BATCH.id, [77], NOW)
    spent = store.checkpoint(part, SPENT, finished=2)
    done = store.complete(part, COUNTS, SPENT)

    assert (spent, done, contents(client, table)) == (None, None, before)


class InTheWay:
    """A client whose first writes find another transaction at work."""

    def __init__(self, client: "DynamoDBClient", times: int) -> None:
        self._client = client
        self.left = times
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        self._meet("TransactionConflictException", {})
        return self._client.update_item(**request)

    def transact_write_items(self, **request: Any) -> Any:
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        self._meet("TransactionCanceledException", {"CancellationReasons": reasons})
        return self._client.transact_write_items(**request)

    def _meet(self, code: str, more: dict[str, Any]) -> None:
        if self.left:
            self.left -= 1
            raise ClientError({"Error": {"Code": code, "Message": ""}, **more}, "Write")  # type: ignore[typeddict-item]


def test_a_record_of_before_calls_without_prices_were_counted_goes_on(
    client: "DynamoDBClient", store: DynamoBatches, table: str
) -> None:
    """It is read as none, and counts from there."""
    begun(store)
    part = claimed(store)
    client.update_item(TableName=table, Key=batch_key(BATCH.id), UpdateExpression="REMOVE unpriced")

    before = store.get(BATCH.id)
    store.checkpoint(part, SPENT, finished=2)
    after = store.get(BATCH.id)

    assert before is not None
    assert after is not None
    assert (before.spent, after.spent) == (Spent(), SPENT)


def test_writes_that_meet_on_a_batchs_record_are_repeated(client: "DynamoDBClient", table: str) -> None:
    """boto3 does not do it, and with many workers it is the normal case."""
    quiet, busy = store_over(client, table), InTheWay(client, 3)
    begun(quiet)
    part = claimed(quiet)
    store = store_over(busy, table)  # type: ignore[arg-type]  # it has what the store uses

    after = store.checkpoint(part, SPENT, finished=2)
    busy.left = 3
    renewed = store.renew(part, now=NOW, lease_seconds=60)

    assert (after, renewed, busy.left) == (replace(part, segments=1, finished=2), True, 0)


def test_a_crowd_on_one_record_is_waited_out_within_the_lease(client: "DynamoDBClient", table: str) -> None:
    """A hundred workers of one batch all count on its record; whoever gives up gives up its attempt."""
    begun(store_over(client, table))
    waited: list[float] = []
    busy = cast("DynamoDBClient", InTheWay(client, 29))
    store = DynamoBatches(BatchesTable(lambda: busy, table, sleep=waited.append))

    part = claimed(store)

    assert (part.attempt, len(waited)) == (1, 29)
    assert sum(waited) < LEASE_SECONDS / 2


def test_writes_that_never_get_through_are_our_fault(
    client: "DynamoDBClient", store: DynamoBatches, table: str
) -> None:
    """After some seconds of it the message goes back to its queue."""
    begun(store)
    late = store_over(InTheWay(client, 1000), table)  # type: ignore[arg-type]  # as above

    with pytest.raises(InternalError, match="too much else is written"):
        late.queued(BATCH.id, [1], NOW)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.create(BATCH),
        lambda store: store.get(BATCH.id),
        lambda store: store.add_parts(PARTS),
        lambda store: store.claim(BATCH.id, 1, now=NOW, lease_seconds=60),
        lambda store: list(store.parts(BATCH.id)),
        lambda store: list(store.open()),
        lambda store: store.queued(BATCH.id, [1], NOW),
        lambda store: store.end(BATCH.id, NOW),
    ],
)
def test_a_missing_table_is_our_fault(client: "DynamoDBClient", call: Callable[[DynamoBatches], object]) -> None:
    """The message tells nothing of it."""
    with pytest.raises(InternalError) as caught:
        call(store_over(client, "no-such-table"))

    assert "no-such-table" not in caught.value.message
