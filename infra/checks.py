"""What has to be true of an account before a deployment, found out before it begins instead of half way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.upstreams import model_of
from megallm.catalog.models import Catalog
from megallm.catalog.upstreams import BedrockUpstream
from megallm.stores.resources import TABLES, name_of

_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_OLDEST_BOOTSTRAP = 6  # what the template's own rule asks for
_AVAILABLE = "AVAILABLE"


class NotReady(Exception):
    """A deployment would fail; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the deployment goes. ``kept`` tells whether an earlier stack's tables are there, and no stack."""

    id: str
    region: str
    kept: bool


def check_account(session: boto3.Session, stack: str) -> Account:
    """Credentials, region, CDK's bootstrap. Raises NotReady."""
    account, region = check_access(session)
    _check_bootstrap(session, account, region)
    return Account(account, region, kept=_is_kept(session, stack))


def check_access(session: boto3.Session) -> tuple[str, str]:
    """The account and the region: all that has to be there before the bootstrap itself. Raises NotReady."""
    region = session.region_name
    if region is None:
        raise NotReady("No AWS region is chosen: say AWS_REGION=eu-central-1, or one of your own choice.")
    return _identity(session), region


def _identity(session: boto3.Session) -> str:
    try:
        return str(session.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise NotReady(
            "There are no valid AWS credentials: log in (`aws sso login`, `aws configure`), or name a profile with "
            f"AWS_PROFILE=... AWS's client says: {error}"
        ) from error


def _check_bootstrap(session: boto3.Session, account: str, region: str) -> None:
    told = f"Run `make bootstrap` once; it makes what CDK keeps for account {account} in {region}."
    try:
        answer = session.client("ssm").get_parameter(Name=_BOOTSTRAP)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            raise NotReady(f"CDK was never used in this account and region. {told}") from error
        raise NotReady(f"It cannot be seen whether CDK is ready in this account and region: {error}") from error
    if int(answer["Parameter"]["Value"]) < _OLDEST_BOOTSTRAP:
        raise NotReady(f"What CDK keeps in this account and region is too old. {told}")


def _is_kept(session: boto3.Session, stack: str) -> bool:
    """Whether there is a table of this name, and no stack: it has outlived one."""
    try:
        session.client("cloudformation").describe_stacks(StackName=stack)
    except ClientError:
        pass
    else:
        return False
    dynamodb = session.client("dynamodb")
    for table in TABLES:
        try:
            dynamodb.describe_table(TableName=name_of(table.role, stack))
        except ClientError:
            continue
        return True
    return False


def missing_models(catalog: Catalog, ask: Callable[[str, str | None], str]) -> list[str]:
    """Those of the catalogue's models on Bedrock that this account may not call, each with what AWS says of it.

    *ask* gives a model's state in a region (None: the deployment's), as ``bedrock_state`` does.
    """
    told = []
    for region, model in sorted(_bedrock_models(catalog), key=str):
        state = ask(model, region)
        if state != _AVAILABLE:
            told.append(f"{model}: {state}")
    return told


def _bedrock_models(catalog: Catalog) -> set[tuple[str | None, str]]:
    return {
        (upstream.region, route.model)
        for name, upstream in catalog.upstreams.items()
        if isinstance(upstream, BedrockUpstream)
        for model in catalog.models
        for route in model.routes
        if route.provider == name and not route.model.startswith("arn:")
    }


def bedrock_state(session: boto3.Session) -> Callable[[str, str | None], str]:
    """Asks Bedrock, which knows models and not the profiles that lead to them.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetFoundationModelAvailability.html
    """

    def ask(model: str, region: str | None) -> str:
        client = session.client("bedrock", region_name=region)
        try:
            answer = client.get_foundation_model_availability(modelId=model_of(model))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return _state(
            {
                "agreement": answer["agreementAvailability"]["status"],
                "entitlement": answer["entitlementAvailability"],
                "region": answer["regionAvailability"],
            }.items(),
            authorized=answer["authorizationStatus"] == "AUTHORIZED",
        )

    return ask


def _state(found: Iterable[tuple[str, str]], *, authorized: bool) -> str:
    wrong = [f"{name} {value}" for name, value in found if value != _AVAILABLE]
    if not authorized:
        wrong.append("not authorized")
    return ", ".join(wrong) or _AVAILABLE
