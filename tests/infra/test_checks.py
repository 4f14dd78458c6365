"""What is found out before a deployment begins."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.stub import Stubber
from moto import mock_aws

from infra.checks import Account, NotReady, bedrock_state, check_access, check_account, missing_models
from infra.run import deploy_arguments
from megallm.catalog.file_format import load

BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"


class Stacks:
    """CloudFormation, of which moto's needs more than is installed."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def describe_stacks(self, StackName: str) -> dict[str, object]:  # noqa: N803  # AWS's name
        if StackName not in self._names:
            told = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": told}}, "DescribeStacks")
        return {"Stacks": [{"StackName": StackName}]}


class AccountSession(boto3.Session):
    """moto's account, and the stacks that it has."""

    stacks: frozenset[str] = frozenset()

    def client(self, *args: Any, **options: Any) -> Any:
        return Stacks(set(self.stacks)) if args == ("cloudformation",) else super().client(*args, **options)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[AccountSession]:
    """Of an account that has nothing yet."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        yield AccountSession(region_name="eu-central-1")


def _bootstrapped(session: boto3.Session, version: str = "27") -> None:
    session.client("ssm").put_parameter(Name=BOOTSTRAP, Value=version, Type="String")


def _with_table(session: boto3.Session, name: str) -> None:
    session.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_an_account_that_is_ready_is_told(session: boto3.Session) -> None:
    """Its number and the region, before anything is changed."""
    _bootstrapped(session)

    assert check_account(session, "megallm") == Account("123456789012", "eu-central-1", kept=False)


def test_tables_that_outlived_their_stack_are_taken_up(session: boto3.Session) -> None:
    """CloudFormation would refuse to make them again."""
    _bootstrapped(session)
    _with_table(session, "megallm-keys")

    account = check_account(session, "megallm")

    assert account.kept
    assert "--import-existing-resources" in deploy_arguments(account)
    assert "--import-existing-resources" not in deploy_arguments(check_account(session, "other"))


def test_tables_of_a_stack_that_is_there_are_its_own(session: AccountSession) -> None:
    """An update needs nothing of the kind."""
    _bootstrapped(session)
    _with_table(session, "megallm-keys")
    session.stacks = frozenset({"megallm"})

    assert not check_account(session, "megallm").kept


def test_no_region_is_told_first(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be asked without one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(NotReady, match=r"^No AWS region is chosen"):
        check_account(boto3.Session(), "megallm")


def test_no_credentials_are_told_with_the_remedy() -> None:
    """In a session that finds none."""

    class Nobody(boto3.Session):
        def client(self, *args: Any, **options: Any) -> Any:
            raise NoCredentialsError

    with pytest.raises(NotReady, match=r"^There are no valid AWS credentials: log in"):
        check_account(Nobody(region_name="eu-central-1"), "megallm")


def test_a_bootstrap_asks_for_credentials_and_region_alone(session: boto3.Session) -> None:
    """What it makes cannot be there before."""
    assert check_access(session) == ("123456789012", "eu-central-1")


def test_an_account_without_cdks_bootstrap_is_told_how_to_get_it(session: boto3.Session) -> None:
    """Otherwise the upload of the bundle fails, after minutes."""
    with pytest.raises(NotReady, match=r"Run `make bootstrap` once; .* account 123456789012 in eu-central-1\.$"):
        check_account(session, "megallm")


def test_a_bootstrap_that_is_too_old_is_told(session: boto3.Session) -> None:
    """The template's own rule would refuse it."""
    _bootstrapped(session, "5")

    with pytest.raises(NotReady, match=r"too old. Run `make bootstrap`"):
        check_account(session, "megallm")


CATALOG = """
[providers.far]
kind = "bedrock"
region = "us-west-2"

[[models]]
id = "m"
display_name = "M"
routes = [
    { provider = "bedrock", model = "global.anthropic.claude-x" },
    { provider = "far", model = "meta.llama" },
    { provider = "bedrock", model = "arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc" },
]
"""


def test_models_that_the_account_may_not_call_are_listed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each is asked for in the region of its provider; what AWS says of it is told."""
    path = tmp_path_factory.mktemp("catalog") / "own.toml"
    path.write_text(CATALOG)
    states = {("global.anthropic.claude-x", None): "AVAILABLE", ("meta.llama", "us-west-2"): "agreement NOT_AVAILABLE"}

    missing = missing_models(load(str(path)), lambda model, region: states[model, region])

    assert missing == ["meta.llama: agreement NOT_AVAILABLE"]


@pytest.mark.parametrize(
    ("authorized", "agreement", "state"),
    [
        ("AUTHORIZED", "AVAILABLE", "AVAILABLE"),
        ("NOT_AUTHORIZED", "PENDING", "agreement PENDING, not authorized"),
    ],
)
def test_bedrock_is_asked_for_the_model_behind_a_profile(authorized: str, agreement: str, state: str) -> None:
    """It knows no profiles here."""
    client = boto3.client("bedrock", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")

    class Session(boto3.Session):
        def client(self, *args: Any, **options: Any) -> Any:
            assert (args, options) == (("bedrock",), {"region_name": "us-west-2"})
            return client

    with Stubber(client) as stub:
        stub.add_response(
            "get_foundation_model_availability",
            {
                "modelId": "anthropic.claude-x",
                "agreementAvailability": {"status": agreement},
                "authorizationStatus": authorized,
                "entitlementAvailability": "AVAILABLE",
                "regionAvailability": "AVAILABLE",
            },
            {"modelId": "anthropic.claude-x"},
        )

        assert bedrock_state(Session(region_name="eu-central-1"))("global.anthropic.claude-x", "us-west-2") == state


def test_a_question_that_is_not_allowed_is_told_as_that() -> None:
    """The deployment goes on: it may still be right."""
    client = boto3.client("bedrock", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")

    class Session(boto3.Session):
        def client(self, *args: Any, **options: Any) -> Any:
            return client

    with Stubber(client) as stub:
        stub.add_client_error("get_foundation_model_availability", "AccessDeniedException")

        assert bedrock_state(Session(region_name="eu-central-1"))("a.b", None) == "AccessDeniedException"
