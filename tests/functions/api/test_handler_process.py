"""functions/api/handler.py itself, in a process with a function's environment, over a local DynamoDB and a model."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from megallm.local import aws
from megallm.local.isolation import local_target
from megallm.operations.manage_keys import create_key, revoke_key
from megallm.stores.keys import DynamoKeys
from tests.functions.api.gateway_events import KINDS, Json, Kind, body_of, event

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PROMPT = "canary-prompt-7a2e"
HELLO = {"model": "claude-3.5-sonnet", "max_tokens": 5, "messages": [{"role": "user", "content": PROMPT}]}


class Function:
    """What a deployed function has around it: a table with keys, and its environment."""

    def __init__(self, local_aws: aws.LocalAws, model: Path, folder: Path) -> None:
        self._folder = folder
        self.keys = DynamoKeys(local_target(local_aws.endpoint_url).dynamodb(), "function-keys")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEGALLM_"))
        } | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": local_aws.endpoint_url,
            "AWS_LAMBDA_FUNCTION_NAME": "megallm-api",
            "MEGALLM_KEYS_TABLE": "function-keys",
            "MEGALLM_MODEL_PATH": str(model),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]),
        }

    def new_key(self) -> tuple[str, str]:
        """A key and its id."""
        key, record = create_key(self.keys, name="test", tier="basic", expires_at=None, clock=lambda: 1_800_000_000.0)
        return key, record.id

    def invoke(
        self, events: Sequence[Json], environment: Mapping[str, str] | None = None
    ) -> tuple[list[Json], subprocess.CompletedProcess[str]]:
        """The answers of one process to these events, and how it ended."""
        answers = self._folder / "answers.json"
        answers.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.functions.api.invoke", str(answers)],
            cwd=ROOT,
            env=self.environment | dict(environment or {}),
            input="".join(json.dumps(each) + "\n" for each in events),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return json.loads(answers.read_text()) if answers.exists() else [], done


@pytest.fixture(scope="module")
def function(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    local_aws = aws.start()
    local_aws.create_resources(keys_table="function-keys")
    yield Function(local_aws, tiny_model, tmp_path_factory.mktemp("function"))
    local_aws.stop()


def hello(kind: Kind, key: str | None, **options: Json) -> Json:
    headers = {"x-api-key": key, **options.pop("headers", {})}
    return event(kind, body=json.dumps(HELLO).encode(), headers=headers, **options)


def test_the_real_handler_answers_both_kinds_of_events(function: Function) -> None:
    """Item 3: its import composes the gateway from the environment; a warm process answers more than one event."""
    key, key_id = function.new_key()

    answers, done = function.invoke([hello("rest_v1", key), hello("http_v2", key, in_base64=True)])

    assert done.returncode == 0, done.stderr
    messages = [json.loads(body_of(answer)) for answer in answers]
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert [(message["type"], message["model"]) for message in messages] == [("message", "claude-3.5-sonnet")] * 2
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["request_id"], line["key_id"], line["status"]) for line in lines if line["event"] == "request"] == [
        (answer["headers"]["request-id"], key_id, 200) for answer in answers
    ]
    assert [secret for secret in (PROMPT, key) if secret in done.stdout + done.stderr] == []


def test_nothing_opens_it_without_a_key(function: Function) -> None:
    """Section 1: no loopback Host, no loopback source, no revoked or unknown key."""
    revoked, revoked_id = function.new_key()
    revoke_key(function.keys, revoked_id, clock=lambda: 1_800_000_001.0)
    local: Json = {
        "headers": {"host": "localhost:4141", "x-forwarded-for": None},
        "source_ip": "127.0.0.1",
    }
    events = [hello(kind, None, **dict(local)) for kind in KINDS]
    events += [hello(kind, key) for kind in KINDS for key in (None, revoked, "mega_unknown0_" + "u" * 43)]

    answers, done = function.invoke(events)

    assert done.returncode == 0, done.stderr
    told = [(answer["statusCode"], json.loads(body_of(answer))["error"]["type"]) for answer in answers]
    assert told == [(401, "authentication_error")] * len(events)


@pytest.mark.parametrize("name", ["MEGALLM_ANONYMOUS", "MEGALLM_ALLOW_ANONYMOUS", "MEGALLM_AUTH"])
def test_no_variable_switches_keys_off(function: Function, name: str) -> None:
    """Section 1: a variable that means to is not passed over in silence, the function does not start."""
    answers, done = function.invoke([hello("http_v2", None)], {name: "1"})

    assert (answers, done.returncode) == ([], 1)
    assert (
        done.stderr.rstrip()
        .splitlines()[-1]
        .startswith(f"megallm.settings.BrokenSettings: {name} is an unknown setting")
    )
