"""What a deployed stack tells of itself: its outputs, by which commands find its address, tables and bucket."""

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from megallm.stores.aws import AwsTarget, code_of

_NO_SUCH_STACK = "ValidationError"  # CloudFormation has no code of its own for it


class NoStack(Exception):
    """The stack cannot be found or seen; the message says why, in AWS's own words where it has some."""


def stack_outputs(target: AwsTarget, stack: str) -> Mapping[str, str]:
    """The outputs of a stack by their names. Raises NoStack."""
    try:
        client = target.cloudformation()
        region = client.meta.region_name
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if code_of(error) == _NO_SUCH_STACK:
            raise NoStack(f"there is no stack {stack!r} in {region}; --stack and --region name another") from error
        raise NoStack(f"the stack {stack!r} cannot be seen: {error}") from error
    except (ResponseParserError, LookupError) as error:  # a page of somebody's, whose text stays out of ours
        raise NoStack(f"what answers for AWS in {region} is no CloudFormation; --endpoint-url names another") from error
    except (BotoCoreError, ValueError) as error:  # boto3 gives a ValueError for an endpoint that is no URL
        raise NoStack(str(error)) from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}
