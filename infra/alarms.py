"""What somebody has to look at. docs/operations.md says of each what it means and what to do; a test counts both."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.function_specs import FUNCTIONS
from infra.own_metrics import own_metric
from infra.queues import Queues
from megallm.telemetry import metrics

_MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)
_SERVER_ERRORS = 5
_NEAR_THE_TIMEOUT = 0.9
# Work waits for its owner's allowance by design, so its queue may be old; the other two have nothing to wait for.
_OLDEST_SECONDS = {"intake": 15 * 60, "work": 6 * 3600, "finish": 15 * 60}


@dataclass(frozen=True, slots=True)
class Watch:
    """A metric, and from which value on, for how many of its periods, it is an alarm."""

    name: str
    description: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int = 1


class Alarms(Construct):
    """All of them, sent to *email* where there is one; without it they are only shown."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        functions: Mapping[str, lambda_.Function],
        queues: Queues,
        api: apigateway.RestApi,
        email: str,
    ) -> None:
        super().__init__(scope, construct_id)
        topic = self._topic(email) if email else None
        watches = [*_of_queues(queues), *_of_functions(functions), _of_api(api), *_of_batches(prefix)]
        for watch in watches:
            alarm = cloudwatch.Alarm(
                self,
                "".join(word.capitalize() for word in watch.name.split("-")),
                alarm_name=f"{prefix}-{watch.name}",
                alarm_description=f"{watch.description}. What to do: docs/operations.md, {watch.name}.",
                metric=watch.metric,
                threshold=watch.threshold,
                evaluation_periods=watch.periods,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            if topic is not None:
                alarm.add_alarm_action(actions.SnsAction(topic))
                alarm.add_ok_action(actions.SnsAction(topic))

    def _topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic


def _of_queues(queues: Queues) -> list[Watch]:
    watches = []
    for role, queue in queues.by_role.items():
        dead = queues.dead_by_role[role].metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic="Maximum"
        )
        oldest = queue.metric_approximate_age_of_oldest_message(period=_FIVE_MINUTES, statistic="Maximum")
        watches += [
            Watch(f"{role}-dead-letters", f"Messages of the {role} queue failed again and again", dead, 1),
            Watch(f"{role}-waits", f"The {role} queue is not worked off", oldest, _OLDEST_SECONDS[role]),
        ]
    return watches


def _of_functions(functions: Mapping[str, lambda_.Function]) -> list[Watch]:
    watches = []
    for spec in FUNCTIONS:
        function = functions.get(spec.role)
        if function is None:
            continue
        errors = function.metric_errors(period=_FIVE_MINUTES)
        throttles = function.metric_throttles(period=_FIVE_MINUTES)
        slowest = function.metric_duration(period=_FIVE_MINUTES, statistic="p99")
        most_ms = spec.timeout_seconds * 1000 * _NEAR_THE_TIMEOUT
        watches += [
            Watch(f"{spec.role}-errors", f"The function {spec.role} crashed or ran out of time", errors, 1),
            Watch(f"{spec.role}-throttles", f"Lambda held the function {spec.role} back", throttles, 1, periods=2),
            Watch(f"{spec.role}-near-timeout", f"The function {spec.role} nearly runs out of time", slowest, most_ms),
        ]
    return watches


def _of_api(api: apigateway.RestApi) -> Watch:
    failed = api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum")
    return Watch("api-5xx", "Requests failed by the gateway's or an upstream's fault", failed, _SERVER_ERRORS)


def _of_batches(prefix: str) -> list[Watch]:
    return [
        Watch(
            "stuck-batches",
            "Batches do not end that should have",
            own_metric(metrics.STUCK_BATCHES, prefix, period=_FIVE_MINUTES, statistic="Maximum"),
            1,
            periods=3,
        ),
        Watch(
            "upstream-misconfigured",
            "An upstream refuses the gateway's own credentials",
            own_metric(metrics.MISCONFIGURED, prefix, period=_FIVE_MINUTES),
            1,
        ),
    ]
