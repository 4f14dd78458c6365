"""DynamoDB engines that the limiter is proved on.

moto has the project's lock around it and runs in the test's own process; dynalite is a program of its own, and one
that gives no item with a failed condition. DynamoDB Local, where its jar can be had, is `python -m tests.limits.proof`.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from megallm.local import aws
from megallm.local.isolation import local_target
from tests.limits.dynalite import install
from tests.limits.over import TABLE

_START_SECONDS = 60.0

# On a port that it finds itself: one that was free a moment ago may be somebody else's by then, and its command line
# takes none as "any".
_DYNALITE = """
const server = require(process.argv[1])({ createTableMs: 0 });
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@contextmanager
def moto() -> Iterator[str]:
    """The address of the local AWS, with the table."""
    running = aws.start()
    running.create_resources(keys_table="keys", limits_table=TABLE)
    yield running.endpoint_url
    running.stop()


@contextmanager
def dynalite() -> Iterator[str]:
    """The address of a dynalite, with the table."""
    assert install.main() == 0
    command: list[str | Path] = [install.node(), "-e", _DYNALITE, install.PROGRAM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}, text=True)
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        create_table(url)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=_START_SECONDS)


ENGINES: dict[str, Callable[[], AbstractContextManager[str]]] = {"moto": moto, "dynalite": dynalite}


def create_table(url: str) -> None:
    """Makes the table on an engine that may only be starting."""
    client = local_target(url).dynamodb()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.create_table(
                TableName=TABLE,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
            client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
        except client.exceptions.ResourceInUseException:
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
