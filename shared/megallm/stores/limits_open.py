"""The limiter of a deployment: over its table, by DynamoDB's own time.

Its modules are loaded, and its connections opened, by the first request that needs them: a cold start waits for none.
"""

from typing import TYPE_CHECKING

from megallm.keys import Caller
from megallm.limits.tiers import Tiers
from megallm.operations.ports import Admission, Limiter
from megallm.stores.aws import AwsTarget

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from megallm.stores.dynamodb_http import DynamoHttp


class TableLimiter:
    """``Limiter`` over *table*, in the region and at the endpoint of *client*, with the credentials of *aws*."""

    def __init__(self, aws: AwsTarget, client: "DynamoDBClient", table: str, tiers: Tiers) -> None:
        self._aws = aws
        self._client = client
        self._table = table
        self._tiers = tiers
        self._limiter: Limiter | None = None

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> Admission:
        """See ``DynamoLimiter``."""
        if self._limiter is None:
            self._limiter = self._opened()
        return await self._limiter.admit(caller, estimated_input_tokens)

    async def aclose(self) -> None:
        """Closes what was opened."""
        if self._limiter is not None:
            await self._limiter.aclose()

    def _opened(self) -> Limiter:
        from megallm.stores.limits import DynamoLimiter
        from megallm.stores.limits_table import DynamoTable
        from megallm.stores.server_clock import ServerClock

        clock = ServerClock()

        def connect() -> "DynamoHttp":
            from megallm.stores.dynamodb_http import DynamoHttp

            return DynamoHttp(
                endpoint_url=self._client.meta.endpoint_url,
                region=self._client.meta.region_name,
                credentials=self._aws.credentials,
                clock=clock,
            )

        return DynamoLimiter(DynamoTable(connect, self._table), self._tiers, clock=clock)
