"""The stack's functions: what they run, with which settings, and what starts them."""

import re
from typing import Any

import pytest

from infra.function_specs import FUNCTIONS
from infra.options import Options
from megallm.settings import PREFIX, Settings
from tests.infra.conftest import ADAPTER_LAYER
from tests.infra.synthesis import ROOT, Template, resources, text_of

pytestmark = pytest.mark.slow

_HANDLERS = {
    "megallm-api": "functions.api.handler.handler",
    "megallm-messages": "functions.api.handler.handler",
    "megallm-batch-intake": "functions.batch_intake.handler.handler",
    "megallm-batch-worker": "functions.batch_worker.handler.handler",
    "megallm-batch-finisher": "functions.batch_finisher.handler.handler",
}


def _functions(template: Template) -> dict[str, dict[str, Any]]:
    """By their names."""
    return {each["FunctionName"]: each for each in resources(template, "AWS::Lambda::Function").values()}


def _settings(function: dict[str, Any]) -> Settings:
    """As the function will read them, each reference in the place of what it stands for."""
    variables = function["Environment"]["Variables"]
    return Settings.from_environ({name: text_of(value) for name, value in variables.items()})


def test_every_function_runs_its_own_entry(template: Template) -> None:
    """On arm64, in the Python that compiled the bundle, each with a log that is kept for a while."""
    functions = _functions(template)

    assert {name: each["Handler"] for name, each in functions.items()} == _HANDLERS
    for function in functions.values():
        assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["arm64"])
        log = template["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert log["Properties"]["RetentionInDays"] == 30
        assert function["LoggingConfig"]["LogFormat"] == "Text"  # our lines are JSON, and nothing may be added to them


def test_no_entry_of_the_specs_is_missing_in_the_code() -> None:
    """A renamed handler would be found out by Lambda only."""
    modules = [spec.handler.rpartition(".")[0].replace(".", "/") + ".py" for spec in FUNCTIONS]

    assert [name for name in modules if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("stack", ["template", "chosen", "adapted"])
def test_each_functions_environment_is_valid_settings(stack: str, request: pytest.FixtureRequest) -> None:
    """An unknown or a broken variable would stop the function at its start."""
    functions = _functions(request.getfixturevalue(stack))

    for name, function in functions.items():
        settings = _settings(function)
        prefix = name.split("-")[0]

        assert (settings.keys_table, settings.limits_table, settings.batches_table) == (
            f"{prefix}-keys",
            f"{prefix}-limits",
            f"{prefix}-batches",
        )
        assert settings.metrics_stack == prefix
        assert settings.signing_secret is not None
        assert re.fullmatch(r"secretsmanager:<Signing\w+>", settings.signing_secret)
        assert settings.batches_bucket is not None
        assert None not in (settings.intake_queue_url, settings.work_queue_url, settings.finish_queue_url)


def test_the_choices_reach_the_functions(template: Template, chosen: Template) -> None:
    """What the operator chose, as the settings have it."""
    default, other = (
        _settings(_functions(stack)[name]) for stack, name in ((template, "megallm-api"), (chosen, "other-api"))
    )

    assert (default.catalog, default.tiers, default.strict) == ("aws", None, False)
    assert (other.catalog, str(other.tiers), other.strict) == ("catalog.toml", "tiers.toml", True)


def test_choices_that_are_settings_have_the_settings_default(template: Template, chosen: Template) -> None:
    """In every function: batches are calls, too."""
    found = {
        (each.batch_concurrency, each.upstream_timeout_seconds, each.key_cache_seconds)
        for each in map(_settings, _functions(chosen).values())
    }
    names = ("batch_concurrency", "upstream_timeout_seconds", "key_cache_seconds")

    assert found == {(8, 120.0, 5.0)}
    assert {name: getattr(Options(), name) for name in names} == {name: getattr(Settings(), name) for name in names}


def test_an_http_function_takes_what_one_event_carries(template: Template) -> None:
    """The gateway refuses a larger body itself, in its own words; a batch function has no such limit."""
    functions = _functions(template)

    limits = {name: _settings(each).max_body_bytes for name, each in functions.items()}

    assert {name for name, limit in limits.items() if limit < 6_000_000} == {"megallm-api", "megallm-messages"}


def test_our_own_runtime_streams_by_default(template: Template) -> None:
    """Its wrapper takes the place of Lambda's own runtime, and gets to know the layers' path."""
    variables = _functions(template)["megallm-messages"]["Environment"]["Variables"]

    assert {name: value for name, value in variables.items() if not name.startswith(PREFIX)} == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/functions/api/streaming-wrapper",
        "PYTHONPATH": "/opt/python",
    }


def test_the_wrapper_is_there_and_may_be_run() -> None:
    """Lambda starts it by its path."""
    wrapper = ROOT / "functions" / "api" / "streaming-wrapper"

    assert wrapper.stat().st_mode & 0o111 == 0o111
    assert wrapper.read_text().startswith("#!/bin/sh\n")


def test_the_adapter_streams_where_it_is_chosen(adapted: Template) -> None:
    """Its layer beside ours, and the program that it starts."""
    function = _functions(adapted)["adapted-messages"]
    variables = function["Environment"]["Variables"]

    assert function["Handler"] == "functions/api/adapter-start"
    assert ADAPTER_LAYER in function["Layers"]
    assert {name: value for name, value in variables.items() if not name.startswith(PREFIX)} == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LWA_PORT": "8080",
        "AWS_LWA_READINESS_CHECK_PATH": "/health",
        "PYTHONPATH": "/opt/python",
    }


def test_without_streaming_there_is_no_function_for_it(chosen: Template) -> None:
    """One function then answers all of HTTP."""
    assert set(_functions(chosen)) == {"other-api", "other-batch-intake", "other-batch-worker", "other-batch-finisher"}


def test_each_queue_starts_its_function_and_hears_which_messages_failed(template: Template) -> None:
    """One message at a time; hidden for at least six times the function's time, so that none runs twice at once."""
    queues = resources(template, "AWS::SQS::Queue")
    functions = resources(template, "AWS::Lambda::Function")
    found = {}
    for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values():
        queue = queues[mapping["EventSourceArn"]["Fn::GetAtt"][0]]
        function = functions[mapping["FunctionName"]["Ref"]]
        found[queue["QueueName"]] = function["FunctionName"]

        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 1
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]

    assert found == {
        "megallm-intake": "megallm-batch-intake",
        "megallm-work": "megallm-batch-worker",
        "megallm-finish": "megallm-batch-finisher",
    }


def test_the_clock_starts_the_finisher_every_minute(template: Template) -> None:
    """The next minute is the retry: a tick that failed does not come again."""
    (rule,) = resources(template, "AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    name = resources(template, "AWS::Lambda::Function")[target["Arn"]["Fn::GetAtt"][0]]["FunctionName"]

    assert (rule["ScheduleExpression"], rule["State"], name) == ("rate(1 minute)", "ENABLED", "megallm-batch-finisher")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}


def test_each_function_has_a_role_of_its_own(template: Template) -> None:
    """With the policies of the stack, and none of AWS's broad ones."""
    functions = resources(template, "AWS::Lambda::Function")
    roles = [each["Role"]["Fn::GetAtt"][0] for each in functions.values()]

    assert len(set(roles)) == len(functions)
    for role in roles:
        managed = template["Resources"][role]["Properties"].get("ManagedPolicyArns", [])
        assert [policy for policy in managed if "Ref" not in policy] == []
