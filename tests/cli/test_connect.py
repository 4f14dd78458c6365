"""`megallm connect` against the real app, and against servers that are no such thing."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from megallm.cli.app import app
from megallm.errors import UpstreamFailed
from megallm.local.isolation import REGION
from megallm.local.state import LocalState, StateFolder
from megallm.messages.calls import Adaptation
from megallm.messages.events import TextDelta
from tests.cli.canned_server import Canned, canned, no_stack, stack_with
from tests.contract.server import RunningServer
from tests.fakes import KEY, Pause, ScriptedProvider, Step, gateway, text_reply

OTHER_KEY = f"mega_zzzzzzzz_{'z' * 43}"
MODELS = Canned(200, b'{"data": [{"id": "claude-haiku-5-5"}]}', {"content-type": "application/json"})
EVENTS = {"content-type": "text/event-stream"}
REPLY = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"one"}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


class _Moment(asyncio.Event):
    """What a model does between two tokens."""

    async def wait(self) -> bool:  # type: ignore[override]  # asyncio's own gives a literal
        await asyncio.sleep(0.2)
        return True


def _slowly(*pieces: str) -> list[Step]:
    """A reply whose pieces come so far apart that a client on a busy machine still gets them one by one."""
    steps: list[Step] = []
    for event in text_reply(*pieces):
        steps += [event, Pause(released=_Moment())] if isinstance(event, TextDelta) else [event]
    return steps


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of nobody's: no stack, no key, no account."""
    monkeypatch.chdir(tmp_path)
    for name in ("MEGALLM_API_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    return tmp_path


@pytest.fixture
def server() -> Iterator[RunningServer]:
    """The real app over a model that takes its time."""
    with RunningServer(gateway(ScriptedProvider(_slowly("One", ", two", ", three", ".")))) as running:
        yield running


def _connect(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["connect", *arguments], input=stdin)


def _local_stack(folder: Path, url: str) -> None:
    state = StateFolder(folder / ".megallm")
    state.create()
    state.save(LocalState(url, KEY, url, REGION, "keys", "bucket", {}, "tiny", os.getpid()))


def _without_numbers(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d\d", "N", re.sub(r"req_\w+", "REQ", line)).rstrip() for line in text.splitlines()]


def test_the_local_stack_is_connected_to_without_any_option(folder: Path, server: RunningServer) -> None:
    """With its own key, as `make run` prints it; and the answer is timed."""
    _local_stack(folder, server.url)

    ended = _connect()

    assert (ended.exit_code, ended.stderr) == (0, "")
    lines = _without_numbers(ended.stdout)
    assert lines[0] == f"Gateway  {server.url}"
    assert f"export ANTHROPIC_API_KEY={KEY}" in lines
    assert lines[-5:] == [
        "",
        "Message  claude-test-2: first token after N s, the whole after N s",
        "Stream   It streams: 4 pieces over N s.",
        "Route    scripted/upstream-model",
        "Request  REQ",
    ]


def test_the_printed_lines_run(folder: Path, server: RunningServer) -> None:
    """Exports and Python in one shell, and curl."""
    _local_stack(folder, server.url)
    text = _connect("--no-message", "--model", "claude-test").stdout

    parts = dict(re.findall(r"^\n(.+)\n((?:.+\n?)+)", text, re.MULTILINE))
    exports = parts["The SDKs read these"]
    python = parts["Python (pip install anthropic)"]
    script = f"{exports}\n{sys.executable} - <<'END'\n{python}\nEND\n{parts['curl']}"
    ran = subprocess.run(
        ["bash", "-ec", script], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )

    assert ran.stdout.splitlines()[0] == "One, two, three."
    assert "event: message_stop" in ran.stdout


def test_a_scripts_answer_is_json(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key stays out of it, unless it is asked for."""
    monkeypatch.setenv("MEGALLM_API_KEY", KEY)

    ended, with_key = (
        _connect("--url", f"{server.url}/v1/", "--json"),
        _connect("--url", server.url, "--json", "--show-key"),
    )

    shown = json.loads(ended.stdout)
    message = shown.pop("message")
    models = {f"ANTHROPIC_DEFAULT_{slot}_MODEL": "claude-test-2" for slot in ("FABLE", "OPUS", "SONNET", "HAIKU")}
    assert shown == {
        "base_url": server.url,
        "streaming": None,
        "model": "claude-test-2",
        "environment": {
            "sdk": {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": None},
            "claude_code": {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_AUTH_TOKEN": None, **models},
        },
    }
    assert 0 < message.pop("first_token_seconds") < message.pop("whole_seconds")
    assert message.pop("request_id").startswith("req_")
    assert message == {
        "pieces": 4,
        "delivery": "streamed",
        "route": "scripted/upstream-model",
        "adapted": "",
        "text": "One, two, three.",
    }
    assert json.loads(with_key.stdout)["environment"]["sdk"]["ANTHROPIC_API_KEY"] == KEY


def test_a_given_key_is_never_shown_unless_asked_for(server: RunningServer) -> None:
    """It is known by its id."""
    hidden = _connect("--url", server.url, "--key", "-", stdin=f"{KEY}\n")
    shown = _connect("--url", server.url, "--key", KEY, "--show-key")

    assert (hidden.exit_code, KEY in hidden.stdout) == (0, False)
    assert "Key      mega_abcdefgh_..., which the lines below take from MEGALLM_API_KEY" in hidden.stdout
    assert f"export ANTHROPIC_AUTH_TOKEN={KEY}" in shown.stdout


def test_what_was_adapted_is_told() -> None:
    """The model behind is not the one that was asked for."""
    provider = ScriptedProvider(_slowly("a", "b", "c", "d"), adaptations=[Adaptation("max_tokens", "16")])
    with RunningServer(gateway(provider)) as server:
        ended = _connect("--url", server.url, "--key", KEY)

    assert "Adapted  max_tokens=16" in ended.stdout.splitlines()


def test_a_deployed_stack_is_found_by_its_outputs(server: RunningServer) -> None:
    """In the account and region that the options name."""
    outputs = {"Endpoint": f"{server.url}/", "Streaming": "runtime", "Bucket": "b"}
    with canned({"POST /": stack_with(outputs)}) as aws:
        ended = _connect("--region", "eu-central-1", "--endpoint-url", aws, "--key", KEY)

    assert ended.exit_code == 0
    lines = _without_numbers(ended.stdout)
    assert lines[:2] == [f"Gateway  {server.url}", "Setting  streaming=runtime"]
    assert "Stream   It streams: 4 pieces over N s, as streaming=runtime says." in lines


def test_without_a_message_no_key_is_needed() -> None:
    """The settings stand for themselves, and nothing is asked of the gateway."""
    with canned({"POST /": stack_with({"Endpoint": "https://abc.example/prod/"})}) as aws:
        ended = _connect("--region", "eu-central-1", "--endpoint-url", aws, "--no-message")

    assert ended.exit_code == 0
    assert ended.stdout.splitlines()[:2] == [
        "Gateway  https://abc.example/prod",
        "Key      none given: the lines below take it from MEGALLM_API_KEY",
    ]


def test_the_region_is_the_one_that_was_deployed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make deploy` takes it from the environment, and so does this."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    with canned({"POST /": no_stack()}) as aws:
        ended = _connect("--stack", "team", "--endpoint-url", aws, "--no-message")

    assert (ended.exit_code, "there is no stack 'team' in eu-west-1;" in ended.stderr) == (1, True)


@pytest.mark.parametrize(("setting", "status"), [("off", 0), ("runtime", 6)])
def test_an_answer_in_one_piece_is_held_against_the_stacks_setting(setting: str, status: int) -> None:
    """Where it should have streamed, the command fails."""
    answer = Canned(200, REPLY, {**EVENTS, "content-length": str(len(REPLY)), "request-id": "req_1"})
    answers = {"GET /v1/models": MODELS, "POST /v1/messages": answer}
    with canned(answers) as url, canned({"POST /": stack_with({"Endpoint": url, "Streaming": setting})}) as aws:
        ended = _connect("--region", "eu-central-1", "--endpoint-url", aws, "--key", KEY)

    assert ended.exit_code == status
    assert "It does not stream: " in (ended.stdout if status == 0 else ended.stderr)
    assert "Request  req_1" in ended.stdout.splitlines()


def test_a_missing_key_is_to_be_made_in_the_same_stack() -> None:
    """A command that is copied as it stands must not make one somewhere else."""
    with canned({"POST /": stack_with({"Endpoint": "https://x.example", "Streaming": "off"})}) as aws:
        ended = _connect("--stack", "team", "--region", "eu-central-1", "--endpoint-url", aws)

    made = f"megallm keys create --name first --region eu-central-1 --endpoint-url {aws} --stack team"
    assert (ended.exit_code, f"`{made}` makes one." in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 1, "no local stack is running for this folder."),
        (("--region", "eu-central-1", "--key", KEY), 1, "there is no stack 'megallm' in eu-central-1; --stack and"),
        (("--stack", "team", "--region", "eu-central-1"), 1, "there is no stack 'team' in eu-central-1; --stack and"),
        (("--profile", "nonesuch"), 1, "The config profile (nonesuch) could not be found"),
        (("--url", "https://x.example"), 1, "a key is missing for the message: give --key or MEGALLM_API_KEY;"),
        (("--url", "http://127.0.0.1:1", "--key", KEY), 3, "127.0.0.1:1 cannot be reached: [Errno 111]"),
        (("--url", "x.example"), 2, "it has the form https://HOST"),
        (("--url", "https://x.example", "--region", "eu-central-1"), 2, "it stands alone"),
        (("--url", "https://x.example", "--key", "sk-ant-secret"), 2, "it is no key of a MegaLLM gateway"),
    ],
)
def test_what_cannot_be_found_is_told_in_a_line(arguments: tuple[str, ...], status: int, told: str) -> None:
    """Each with the exit status that the help names."""
    with canned({"POST /": no_stack()}) as aws:
        where = ["--endpoint-url", aws] if "--region" in arguments and "--url" not in arguments else []
        ended = _connect(*arguments, *where)

    assert ended.exit_code == status, ended.output
    assert told in " ".join(ended.stderr.replace("│", " ").split())
    assert "sk-ant-secret" not in ended.output


@pytest.mark.parametrize(
    ("key", "model", "status", "told"),
    [
        (OTHER_KEY, (), 4, "megallm: the gateway answers 401: authentication_error, "),
        (KEY, ("--model", "nonesuch"), 4, "megallm: the gateway answers 404: not_found_error, "),
    ],
)
def test_a_refusal_is_told_with_its_type_and_its_id(
    server: RunningServer, key: str, model: tuple[str, ...], status: int, told: str
) -> None:
    """And with what to do."""
    ended = _connect("--url", server.url, "--key", key, *model)

    assert (ended.exit_code, ended.stderr.startswith(told)) == (status, True), ended.stderr
    assert re.search(r"\(request req_\w+\)\. .+\.\n$", ended.stderr)


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    """Whatever came before."""
    script = [*_slowly("One", ", two")[:6], UpstreamFailed("The model's provider broke off")]
    with RunningServer(gateway(ScriptedProvider(script))) as server:
        ended = _connect("--url", server.url, "--key", KEY)

    assert (ended.exit_code, ended.stderr.startswith("megallm: the answer broke off: ")) == (5, True), ended.stderr


@pytest.mark.parametrize(
    ("answers", "status", "told"),
    [
        ({}, 3, "the gateway answers 404, without the error that a gateway sends: is the address right"),
        ({"GET /v1/models": Canned(200, b"<html>")}, 3, "does not answer as a MegaLLM gateway: it lists no models"),
        (
            {"GET /v1/models": Canned(302, b"", {"location": "https://x.example"})},
            3,
            "the gateway answers 302, without",
        ),
        ({"GET /v1/models": Canned(500, b'{"error": {"type": "api_error", "message": "M"}}')}, 5, "api_error, M"),
        ({"POST /v1/messages": Canned(200, b"{}", {"content-type": "application/json"})}, 3, "is no stream of events"),
        ({"POST /v1/messages": Canned(200, REPLY[:-20], EVENTS)}, 5, "the answer broke off without an end"),
        ({"POST /v1/messages": Canned(200, b"", EVENTS)}, 5, "the answer broke off without an end"),
        (
            {"POST /v1/messages": Canned(200, b"event: content_block_delta\ndata: []\n\n", EVENTS)},
            5,
            "sent events that no gateway sends",
        ),
        ({"POST /v1/messages": Canned(200, b"x", {**EVENTS, "content-length": "9"})}, 5, "broke"),
    ],
)
def test_what_is_no_gateway_is_told_from_one_that_fails(answers: dict[str, Canned], status: int, told: str) -> None:
    """Somebody else's error page is not shown."""
    with canned({"GET /v1/models": MODELS, **answers} if answers else {}) as url:
        ended = _connect("--url", url, "--key", KEY)

    assert ended.exit_code == status, ended.output
    assert (told in ended.stderr, len(ended.stderr.splitlines())) == (True, 1), ended.stderr
