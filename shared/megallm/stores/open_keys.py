"""How somebody who is not a gateway, such as the command line, gets at the keys of an AWS that may not be there."""

from botocore.exceptions import BotoCoreError

from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys


class NoSuchAws(Exception):
    """The profile, the region or the endpoint is missing or wrong; boto3's own words say which."""


def open_keys(target: AwsTarget, table: str) -> DynamoKeys:
    """The keys in a table. Nothing is sent yet. Raises NoSuchAws."""
    try:
        return DynamoKeys(target.dynamodb(), table)
    except (BotoCoreError, ValueError) as error:  # boto3 gives a ValueError for an endpoint that is no URL
        raise NoSuchAws(str(error)) from error
