"""What the targets of make pass on, and what they say afterwards."""

import json
from pathlib import Path

import pytest

from infra import run
from infra.options import BrokenOptions, Options
from infra.told import after_deploy, after_destroy


def test_choices_are_words_as_in_a_shell() -> None:
    """A path may have spaces, a value an equals sign."""
    assert run.chosen("streaming=off catalog='my models.toml' alarm_email=a=b@c.example") == {
        "streaming": "off",
        "catalog": "my models.toml",
        "alarm_email": "a=b@c.example",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("streaming", "CONTEXT: streaming has no value; write it as name=value"),
        ("catalog='x", "CONTEXT: No closing quotation"),
    ],
)
def test_a_choice_that_cannot_be_read_is_told(text: str, message: str) -> None:
    """Nothing is done then."""
    with pytest.raises(BrokenOptions) as caught:
        run.chosen(text)

    assert str(caught.value) == message


def test_the_checks_see_what_the_cli_will_see(tmp_path: Path) -> None:
    """Its two files, and the command line over both."""
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"@aws-cdk/x:y": True, "name": "a", "strict": True}}))
    (tmp_path / "cdk.context.json").write_text(json.dumps({"name": "b", "log_days": 7}))

    found = run.all_context(tmp_path, {"log_days": "30"})

    assert found == {"@aws-cdk/x:y": True, "name": "b", "strict": True, "log_days": "30"}


def test_an_unknown_choice_ends_it_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, without a traceback."""
    monkeypatch.setenv("CONTEXT", "steaming=off")

    status = run.main(["synth"])

    assert (status, capsys.readouterr().err) == (1, "\nsteaming is an unknown context key; did you mean streaming?\n")


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_is_the_one_that_the_cli_takes(environ: dict[str, str], region: str) -> None:
    """Otherwise one region is checked, and another one is deployed to."""
    assert run.session(environ).region_name == region


OUTPUTS = {
    "Endpoint": "https://abc.execute-api.eu-central-1.amazonaws.com/prod/",
    "Bucket": "megallm-123456789012-eu-central-1",
    "KeysTable": "megallm-keys",
    "Streaming": "runtime",
}


def test_a_deployment_ends_with_what_to_do_next() -> None:
    """Commands that can be copied, for the account that was chosen."""
    told = after_deploy(OUTPUTS, "eu-central-1", None)

    assert told.splitlines()[3:10] == [
        "  Endpoint   https://abc.execute-api.eu-central-1.amazonaws.com/prod",
        "  Bucket     megallm-123456789012-eu-central-1",
        "  Streaming  runtime",
        "",
        "Make the first key:",
        "",
        "  .venv/bin/megallm keys create --name first --region eu-central-1",
    ]


def test_another_profile_and_another_name_are_in_the_commands() -> None:
    """Otherwise they would reach another account, or another table."""
    told = after_deploy({**OUTPUTS, "KeysTable": "team-keys"}, "eu-central-1", "my profile")

    commands = [line for line in told.splitlines() if line.startswith("  .venv/bin/megallm")]
    assert commands == [
        "  .venv/bin/megallm keys create --name first --profile 'my profile' --region eu-central-1 --stack team",
        "  .venv/bin/megallm connect --profile 'my profile' --region eu-central-1 --stack team",
    ]


def test_an_end_says_what_is_kept() -> None:
    """And what is not."""
    assert "The tables megallm-* and the bucket are kept" in after_destroy(Options())
    assert after_destroy(Options(retain_data=False)) == "\nThe stack is gone, with its tables."
