"""What the targets of make pass on, and what they say afterwards."""

import json
import os
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
    "IntakeQueue": "https://sqs.eu-central-1.amazonaws.com/123456789012/megallm-intake",
    "KeysTable": "megallm-keys",
    "Streaming": "runtime",
}


def test_a_deployment_ends_with_what_to_do_next() -> None:
    """Commands that can be copied, for the account that was chosen."""
    told = after_deploy(OUTPUTS, "eu-central-1", None)

    assert told.splitlines()[3:11] == [
        "  Endpoint   https://abc.execute-api.eu-central-1.amazonaws.com/prod",
        "  Bucket     megallm-123456789012-eu-central-1",
        "  Queue      https://sqs.eu-central-1.amazonaws.com/123456789012/megallm-intake",
        "  Streaming  runtime",
        "",
        "Make the first key:",
        "",
        "  .venv/bin/megallm keys create --name first --region eu-central-1",
    ]


def test_another_profile_and_another_name_are_in_the_commands() -> None:
    """Otherwise they would reach another account, or another table; AWS's own command knows no stacks."""
    told = after_deploy({**OUTPUTS, "KeysTable": "team-keys"}, "eu-central-1", "my profile")

    commands = [line for line in told.splitlines() if line.startswith(("  .venv/bin/megallm", "  aws "))]
    assert commands == [
        "  .venv/bin/megallm keys create --name first --profile 'my profile' --region eu-central-1 --stack team",
        "  .venv/bin/megallm connect --profile 'my profile' --region eu-central-1 --stack team",
        f"  aws s3 cp report.txt s3://{OUTPUTS['Bucket']}/inbox/summarize/bullet_points/ "
        "--profile 'my profile' --region eu-central-1",
        f"  aws sqs send-message --queue-url {OUTPUTS['IntakeQueue']} --message-body file://job.json "
        "--profile 'my profile' --region eu-central-1",
    ]


def test_an_end_says_what_is_kept() -> None:
    """And what is not."""
    assert "The tables megallm-* and the bucket are kept" in after_destroy(Options())
    assert after_destroy(Options(retain_data=False)) == "\nThe stack is gone, with its tables."


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without AWS: no file, no variable, and no machine's own credentials."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("CONTEXT", raising=False)
    return monkeypatch


@pytest.mark.parametrize("command", ["bootstrap", "diff", "deploy", "destroy"])
def test_without_a_region_or_credentials_nothing_is_begun(
    command: str, nowhere: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are told with the remedy, before the CDK CLI can say it in its own words."""
    statuses = [run.main([command])]
    nowhere.setenv("AWS_REGION", "eu-central-1")
    statuses.append(run.main([command]))

    region, credentials = (each for each in capsys.readouterr().err.split("\n") if each)
    assert statuses == [1, 1]
    assert region == "No AWS region is chosen: say AWS_REGION=eu-central-1, or one of your own choice."
    assert credentials.startswith("There are no valid AWS credentials: log in (`aws sso login`, `aws configure`)")
