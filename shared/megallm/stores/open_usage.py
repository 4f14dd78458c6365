"""How the command line gets at what is told of usage: the keys, their ledger and the batches of an AWS."""

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from megallm.stores.aws import AwsTarget
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable
from megallm.stores.keys import DynamoKeys
from megallm.stores.ledger import DynamoLedger
from megallm.stores.open_keys import NoSuchAws


@dataclass(frozen=True, slots=True)
class OpenUsage:
    """The three tables."""

    keys: DynamoKeys
    ledger: DynamoLedger
    batches: DynamoBatches


def open_usage(target: AwsTarget, *, keys: str, limits: str, batches: str) -> OpenUsage:
    """By the tables' names. Nothing is sent yet. Raises NoSuchAws."""
    try:
        dynamodb = target.batch_dynamodb()
    except (BotoCoreError, ValueError) as error:  # botocore gives a ValueError for an endpoint that is no URL
        raise NoSuchAws(str(error)) from error
    return OpenUsage(
        DynamoKeys(dynamodb, keys),
        DynamoLedger(dynamodb, limits),
        DynamoBatches(BatchesTable(lambda: dynamodb, batches)),
    )
