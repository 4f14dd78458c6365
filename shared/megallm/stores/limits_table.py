"""The table of the limits: one write to one item, and what stood there where its conditions do not hold."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from megallm.limits.state import Charge, Queue, State, Write
from megallm.stores.limits_wire import from_wire, to_wire

if TYPE_CHECKING:
    from megallm.stores.dynamodb_http import DynamoHttp


class Conflict(Exception):
    """The write's conditions did not hold; ``state`` is what stands there.

    ``repeated``: an answer was lost before, so that this same write may have been applied already.
    """

    def __init__(self, state: State, *, repeated: bool) -> None:
        super().__init__("the item is not as it was expected to be")
        self.state = state
        self.repeated = repeated


class TooFast(Exception):
    """The item is asked for more than DynamoDB does for one."""


class NoAnswer(Exception):
    """The table does not answer, or does not let us in."""


class Table(Protocol):
    """Where the limiter's writes go."""

    async def update(self, item_id: str, write: Write) -> State:
        """What the item has become. Raises Conflict, TooFast or NoAnswer."""

    async def aclose(self) -> None:
        """Closes the connections."""


class DynamoTable:
    """A table with the string partition key ``id``. *connect* is called when it is first needed."""

    def __init__(self, connect: "Callable[[], DynamoHttp]", table: str) -> None:
        self._connect = connect
        self._table = table
        self._http: DynamoHttp | None = None
        self._tells_items = False

    async def update(self, item_id: str, write: Write) -> State:
        """One UpdateItem; a further read where the engine does not say what stood there."""
        from megallm.stores import dynamodb_http as http

        request = to_wire(self._table, item_id, write)
        # What only adds, without a condition that fails the second time, is not sent twice.
        once = isinstance(write, Charge | Queue)
        try:
            answer = await self._client().call("UpdateItem", request, once=once)
            return from_wire(answer["Attributes"])
        except http.ConditionFailed as failed:
            self._tells_items = self._tells_items or failed.item is not None
            state = from_wire(failed.item) if self._tells_items else await self._read(item_id)
            raise Conflict(state, repeated=failed.repeated) from None
        except http.Throttled as error:
            raise TooFast from error
        except http.NoAnswer as error:
            raise NoAnswer from error

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _read(self, item_id: str) -> State:
        """Either nothing is stored, or this engine knows no ReturnValuesOnConditionCheckFailure."""
        request = {"TableName": self._table, "Key": {"id": {"S": item_id}}, "ConsistentRead": True}
        return from_wire((await self._client().call("GetItem", request)).get("Item"))

    def _client(self) -> "DynamoHttp":
        if self._http is None:
            self._http = self._connect()
        return self._http
