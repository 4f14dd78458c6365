"""The limiter over an engine at some address, as a process has it; imports nothing that slows a process's start."""

from collections.abc import Callable

from botocore.credentials import Credentials

from megallm.limits.tiers import load
from megallm.stores.dynamodb_http import DynamoHttp
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_table import DynamoTable
from megallm.stores.server_clock import ServerClock

TABLE = "limits"
LOCAL = Credentials("local", "local")


def dynamo_http(url: str, *, attempt_seconds: float = 30.0) -> DynamoHttp:
    """The client for an engine."""
    return DynamoHttp(
        endpoint_url=url,
        region="us-east-1",
        credentials=lambda: LOCAL,
        clock=ServerClock(),
        attempt_seconds=attempt_seconds,
        connect_seconds=attempt_seconds,
    )


def limiter_over(http: DynamoHttp, clock: Callable[[], int], *, renew_seconds: float = 20.0) -> DynamoLimiter:
    """A limiter with a clock of the test's."""
    return DynamoLimiter(DynamoTable(lambda: http, TABLE), load(), clock=clock, renew_seconds=renew_seconds)
