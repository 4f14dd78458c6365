"""What each function's role may do in the account: what grants.py says, and a short list with reasons beside it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.environment import EVENT_BUS
from infra.grants import GRANTS
from infra.upstreams import Place, needs
from megallm.catalog.file_format import load
from tests.infra.conftest import OWN_CATALOG, SECRETS_KEY
from tests.infra.synthesis import Template, resources, text_of

pytestmark = pytest.mark.slow

# As text_of writes CloudFormation's own parameters.
_HERE = Place("<AWS::Partition>", "<AWS::Region>", "<AWS::AccountId>")

Allowed = set[tuple[str, str]]  # what grants.py calls a resource, and the action

_LOG: Allowed = {("log", "logs:CreateLogStream"), ("log", "logs:PutLogEvents")}


def _poller(queue: str) -> Allowed:
    """Lambda reads a function's queue for it, with the function's own role.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    actions = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")
    return {(queue, f"sqs:{action}") for action in actions}


# What no call of the function's own code needs, and grants.py does not have.
_BESIDES: Mapping[str, Allowed] = {
    "api": _LOG,
    "messages": _LOG,
    "batch-intake": _LOG | _poller("intake-queue"),
    "batch-worker": _LOG | _poller("work-queue"),
    "batch-finisher": _LOG | _poller("finish-queue"),
}
# Secrets Manager decrypts for who asks it, where the operator encrypts with a key of their own.
_DECRYPTS: Allowed = {("secrets-key", "kms:Decrypt")}
_READERS_OF_SECRETS = {"api", "messages", "batch-worker"}


def _statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy of a role, with the role's name in the template."""
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        for policy in resources(template, kind).values():
            roles = _listed(policy["Roles"] if "Roles" in policy else {"Ref": policy["RoleName"]["Ref"]})
            for role in roles:
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield role["Ref"], statement
    for role, properties in resources(template, "AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield role, statement


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _owners(template: Template) -> dict[str, tuple[str, str]]:
    """By a role's name in the template: its function's name without the stack's, and its log's name in the template."""
    return {
        function["Role"]["Fn::GetAtt"][0]: (
            function["FunctionName"].partition("-")[2],
            function["LoggingConfig"]["LogGroup"]["Ref"],
        )
        for function in resources(template, "AWS::Lambda::Function").values()
    }


def _names(template: Template, catalog: str) -> dict[str, str]:
    """What grants.py calls the resources, by their ARNs. Of several ARNs behind one name each is told apart."""
    found = {
        f"<{name}.Arn>": table["TableName"].partition("-")[2]
        for name, table in resources(template, "AWS::DynamoDB::Table").items()
    }
    for name, queue in resources(template, "AWS::SQS::Queue").items():
        found[f"<{name}.Arn>"] = f"{queue['QueueName'].partition('-')[2]}-queue"
    (bucket,) = resources(template, "AWS::S3::Bucket")
    (signing,) = resources(template, "AWS::SecretsManager::Secret")
    needed = needs(load(catalog), _HERE)
    several = {"models": needed.models, "secrets": needed.secrets, "parameters": needed.parameters}
    return {
        **found,
        f"<{bucket}.Arn>": "bucket",
        f"<{bucket}.Arn>/*": "objects",
        f"<{signing}>": "signing",
        f"arn:{_HERE.partition}:events:{_HERE.region}:{_HERE.account}:event-bus/{EVENT_BUS}": "bus",
        SECRETS_KEY: "secrets-key",
        **{arn: f"{name} {arn}" for name, arns in several.items() for arn in arns},
    }


def _allowed(template: Template, names: Mapping[str, str]) -> dict[str, Allowed]:
    """What each function may do, by its role's policies; an ARN that is nobody's stays what it is."""
    owners = _owners(template)
    found: dict[str, Allowed] = {function: set() for function, _ in owners.values()}
    for role, statement in _statements(template):
        function, log = owners[role]
        arns = [text_of(arn) for arn in _listed(statement["Resource"])]
        assert set(statement) == {"Action", "Effect", "Resource"}, statement
        assert statement["Effect"] == "Allow"
        found[function] |= {
            ("log" if arn == f"<{log}.Arn>" else names.get(arn, arn), action)
            for arn in arns
            for action in _listed(statement["Action"])
        }
    return found


def _expected(function: str, names: Mapping[str, str], *, own_key: bool) -> Allowed:
    """By grants.py, for each ARN that is behind a name, and by what stands above."""
    granted = {
        (name, action)
        for resource, actions in GRANTS[function].items()
        for name in names.values()
        if name == resource or name.startswith(f"{resource} ")
        for action in actions
    }
    return granted | _BESIDES[function] | (_DECRYPTS if own_key and function in _READERS_OF_SECRETS else set())


@pytest.mark.parametrize(
    ("stack", "catalog"),
    [("template", None), ("adapted", None), ("chosen", OWN_CATALOG)],
    ids=["default", "adapter", "chosen"],
)
def test_each_role_may_do_what_the_grants_say_and_what_a_function_needs_anyway(
    stack: str, catalog: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """No action more and none less, resource by resource; grants.py itself is held against what the functions do."""
    template: Template = request.getfixturevalue(stack)
    path = tmp_path / "own.toml"
    path.write_text(catalog or "")
    names = _names(template, "aws" if catalog is None else str(path))

    allowed = _allowed(template, names)

    assert allowed == {function: _expected(function, names, own_key=catalog is not None) for function in allowed}
    assert set(allowed) == set(GRANTS) - ({"messages"} if stack == "chosen" else set())


@pytest.mark.parametrize("stack", ["template", "chosen", "adapted"])
def test_no_policy_has_a_wildcard_for_an_action_or_for_all_resources(
    stack: str, request: pytest.FixtureRequest
) -> None:
    """A role may do what is spelled out, to what is named."""
    for role, statement in _statements(request.getfixturevalue(stack)):
        assert [action for action in _listed(statement["Action"]) if "*" in action] == [], role
        assert [text_of(each) for each in _listed(statement["Resource"]) if text_of(each) == "*"] == [], role


def test_only_the_callers_of_models_may_invoke_them(template: Template) -> None:
    """Those of the catalogue, through their profiles, and in no other way."""
    allowed: dict[str, set[str]] = {}
    for role, statement in _statements(template):
        if any(action.startswith("bedrock:") for action in _listed(statement["Action"])):
            assert sorted(_listed(statement["Action"])) == [
                "bedrock:CountTokens",
                "bedrock:InvokeModel",
                "bedrock:InvokeModelWithResponseStream",
            ]
            allowed.setdefault(role, set()).update(text_of(each) for each in _listed(statement["Resource"]))

    assert {re.sub(r"Role\w+$", "", role) for role in allowed} == {"Api", "Messages", "BatchWorker"}
    for arns in allowed.values():
        root = "arn:<AWS::Partition>:bedrock:"
        haiku = "anthropic.claude-haiku-4-5-20251001-v1:0"
        assert {arn for arn in arns if haiku in arn} == {
            f"{root}<AWS::Region>:<AWS::AccountId>:inference-profile/global.{haiku}",
            f"{root}<AWS::Region>::foundation-model/{haiku}",
            f"{root}::foundation-model/{haiku}",
        }


def test_the_upstreams_keys_may_be_read_where_calls_are_made(chosen: Template) -> None:
    """Secrets and parameters by their names, and the key that encrypts them."""
    found: dict[str, dict[str, set[str]]] = {}
    for role, statement in _statements(chosen):
        for action in _listed(statement["Action"]):
            if action.startswith(("secretsmanager:", "ssm:", "kms:")):
                arns = {text_of(each) for each in _listed(statement["Resource"])}
                found.setdefault(re.sub(r"Role\w+$", "", role), {}).setdefault(action, set()).update(arns)
    signing = next(iter(resources(chosen, "AWS::SecretsManager::Secret")))
    here = "<AWS::Region>:<AWS::AccountId>"
    expected = {
        "secretsmanager:GetSecretValue": {
            f"<{signing}>",
            f"arn:<AWS::Partition>:secretsmanager:{here}:secret:claude-key-??????",
        },
        "ssm:GetParameter": {f"arn:<AWS::Partition>:ssm:{here}:parameter/megallm/openai"},
        "kms:Decrypt": {SECRETS_KEY},
    }

    assert found == {"Api": expected, "BatchWorker": expected}


def test_only_the_limiters_callers_write_the_limits_and_none_the_keys(template: Template) -> None:
    """Keys are made with the operator's own credentials."""
    tables = {name: each["TableName"] for name, each in resources(template, "AWS::DynamoDB::Table").items()}
    found: dict[str, dict[str, list[str]]] = {}
    for role, statement in _statements(template):
        for arn in _listed(statement["Resource"]):
            match = re.fullmatch(r"<(\w+)\.Arn>", text_of(arn))
            if match and match[1] in tables and tables[match[1]] != "megallm-batches":
                found.setdefault(tables[match[1]], {})[re.sub(r"Role\w+$", "", role)] = sorted(
                    _listed(statement["Action"])
                )

    read, write = ["dynamodb:GetItem"], ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    assert found == {
        "megallm-keys": dict.fromkeys(("Api", "Messages", "BatchIntake", "BatchWorker", "BatchFinisher"), read),
        "megallm-limits": dict.fromkeys(("Api", "Messages", "BatchWorker"), write),
    }
