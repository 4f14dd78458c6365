"""The limiter of a deployment: over its table, by DynamoDB's own time. Nothing is opened before a request needs it."""

from typing import TYPE_CHECKING

from megallm.limits.tiers import Tiers
from megallm.stores.aws import AwsTarget
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_table import DynamoTable
from megallm.stores.server_clock import ServerClock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from megallm.stores.dynamodb_http import DynamoHttp


def open_limiter(aws: AwsTarget, client: "DynamoDBClient", table: str, tiers: Tiers) -> DynamoLimiter:
    """A limiter over *table*, in the region and at the endpoint of *client*, with the credentials of *aws*."""
    clock = ServerClock()

    def connect() -> "DynamoHttp":
        from megallm.stores.dynamodb_http import DynamoHttp  # aiohttp: a cold start does not wait for it

        return DynamoHttp(
            endpoint_url=client.meta.endpoint_url,
            region=client.meta.region_name,
            credentials=lambda: aws.session().get_credentials(),
            clock=clock,
        )

    return DynamoLimiter(DynamoTable(connect, table), tiers, clock=clock)
