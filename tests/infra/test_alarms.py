"""The stack's alarms and its dashboard: what is watched, and that somebody is told what to do."""

import json
import re
from typing import Any

import pytest

from tests.infra.synthesis import ROOT, Template, resources, text_of

pytestmark = pytest.mark.slow


def _alarms(template: Template) -> dict[str, dict[str, Any]]:
    """By their names, without the stack's."""
    return {
        each["AlarmName"].partition("-")[2]: each for each in resources(template, "AWS::CloudWatch::Alarm").values()
    }


def test_what_goes_wrong_is_watched(template: Template) -> None:
    """Metric, statistic and threshold of every alarm."""
    found = {
        name: (each["MetricName"], each.get("Statistic") or each.get("ExtendedStatistic"), each["Threshold"])
        for name, each in _alarms(template).items()
    }

    most_ms = {"api": 25_200, "messages": 810_000, "batch-intake": 810_000, "batch-worker": 810_000}
    most_ms["batch-finisher"] = 810_000
    oldest = {"intake": 900, "work": 21_600, "finish": 900}
    assert found == {
        **{f"{role}-dead-letters": ("ApproximateNumberOfMessagesVisible", "Maximum", 1) for role in oldest},
        **{f"{role}-waits": ("ApproximateAgeOfOldestMessage", "Maximum", most) for role, most in oldest.items()},
        **{f"{role}-errors": ("Errors", "Sum", 1) for role in most_ms},
        **{f"{role}-throttles": ("Throttles", "Sum", 1) for role in most_ms},
        **{f"{role}-near-timeout": ("Duration", "p99", most) for role, most in most_ms.items()},
        "api-5xx": ("5XXError", "Sum", 5),
        "stuck-batches": ("StuckBatches", "Maximum", 1),
        "upstream-misconfigured": ("UpstreamMisconfigured", "Sum", 1),
    }


def test_silence_is_no_alarm(template: Template) -> None:
    """A gateway that nobody asks has no metrics."""
    alarms = _alarms(template).values()

    assert {each["TreatMissingData"] for each in alarms} == {"notBreaching"}
    assert {each["ComparisonOperator"] for each in alarms} == {"GreaterThanOrEqualToThreshold"}


def test_the_dead_letters_are_those_of_the_queues(template: Template) -> None:
    """And not of the queues themselves, which are seldom empty."""
    queues = resources(template, "AWS::SQS::Queue")
    watched = {
        name: queues[each["Dimensions"][0]["Value"]["Fn::GetAtt"][0]]["QueueName"]
        for name, each in _alarms(template).items()
        if name.endswith(("-dead-letters", "-waits"))
    }

    assert watched == {
        **{f"{role}-dead-letters": f"megallm-{role}-dead" for role in ("intake", "work", "finish")},
        **{f"{role}-waits": f"megallm-{role}" for role in ("intake", "work", "finish")},
    }


def test_each_alarm_is_in_the_handbook(template: Template) -> None:
    """Its description names the chapter, and there is no chapter without an alarm."""
    handbook = (ROOT / "docs" / "operations.md").read_text()
    chapters = set(re.findall(r"^\| `([a-z0-9-]+)` \|", handbook, flags=re.MULTILINE))
    alarms = _alarms(template)

    assert chapters == set(alarms)
    assert [
        name for name, each in alarms.items() if f"docs/operations.md, {name}." not in each["AlarmDescription"]
    ] == []


def test_alarms_are_mailed_where_an_address_is_given(template: Template, chosen: Template) -> None:
    """Both their beginning and their end."""
    (topic,) = resources(chosen, "AWS::SNS::Topic")
    (subscription,) = resources(chosen, "AWS::SNS::Subscription").values()

    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "somebody@example.com")
    assert {(text_of(each["AlarmActions"][0]), text_of(each["OKActions"][0])) for each in _alarms(chosen).values()} == {
        (f"<{topic}>", f"<{topic}>")
    }
    assert resources(template, "AWS::SNS::Topic") == {}
    assert {each.get("AlarmActions") for each in _alarms(template).values()} == {None}


def test_the_dashboard_shows_what_is_asked_and_what_it_costs(template: Template) -> None:
    """The functions' own metrics beside AWS's; test_metrics.py holds the former to what is written."""
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(text_of(dashboard["DashboardBody"]))["widgets"]

    assert dashboard["DashboardName"] == "megallm"
    assert [widget["properties"]["title"] for widget in widgets] == [
        "Requests",
        "Refused and failed",
        "Requests by tier and model",
        "Refused, by cause",
        "Tokens",
        "Cost of the models, US dollars",
        "Milliseconds to the first token",
        "Milliseconds of the functions, p99",
        "Invocations at once",
        "Errors and throttles",
        "Messages that wait",
        "Dead letters",
    ]
