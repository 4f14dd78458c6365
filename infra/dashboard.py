"""One page of charts: what is asked, what it costs, how long it takes, what is refused, and what waits."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.own_metrics import each_own_metric, own_metric
from infra.queues import Queues
from megallm.telemetry import metrics

_PERIOD = Duration.minutes(5)
_HALF = 12


class Dashboard(Construct):
    """The metrics of AWS and of the functions, side by side."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        functions: Mapping[str, lambda_.Function],
        queues: Queues,
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        cloudwatch.Dashboard(
            self,
            "Page",
            dashboard_name=prefix,
            period_override=cloudwatch.PeriodOverride.AUTO,
            widgets=[
                [
                    _chart("Requests", [api.metric_count(period=_PERIOD), *self._own(metrics.REQUESTS)]),
                    _chart(
                        "Refused and failed",
                        [
                            api.metric_client_error(period=_PERIOD, statistic="Sum"),
                            api.metric_server_error(period=_PERIOD, statistic="Sum"),
                            *self._own(metrics.REFUSALS),
                        ],
                    ),
                ],
                [
                    _chart("Requests by tier and model", [self._each(metrics.REQUESTS, metrics.BY_MODEL)]),
                    _chart("Refused, by cause", [self._each(metrics.REFUSALS, metrics.BY_CAUSE)]),
                ],
                [
                    _chart("Tokens", [*self._own(metrics.INPUT_TOKENS), *self._own(metrics.OUTPUT_TOKENS)]),
                    _chart("Cost of the models, US dollars", [self._each(metrics.COST, metrics.BY_MODEL)]),
                ],
                [
                    _chart(
                        "Milliseconds to the first token",
                        [
                            own_metric(
                                metrics.FIRST_TOKEN,
                                prefix,
                                period=_PERIOD,
                                statistic=statistic,
                                by={metrics.SOURCE: metrics.API},
                            )
                            for statistic in ("p50", "p99")
                        ],
                    ),
                    _chart(
                        "Milliseconds of the functions, p99",
                        [each.metric_duration(period=_PERIOD, statistic="p99") for each in functions.values()],
                    ),
                ],
                [
                    _chart(
                        "Invocations at once",
                        [
                            each.metric("ConcurrentExecutions", period=_PERIOD, statistic="Maximum")
                            for each in functions.values()
                        ],
                    ),
                    _chart(
                        "Errors and throttles",
                        [
                            metric
                            for each in functions.values()
                            for metric in (each.metric_errors(period=_PERIOD), each.metric_throttles(period=_PERIOD))
                        ],
                    ),
                ],
                [
                    _chart(
                        "Messages that wait",
                        [
                            each.metric_approximate_number_of_messages_visible(period=_PERIOD)
                            for each in queues.by_role.values()
                        ],
                    ),
                    _chart(
                        "Dead letters",
                        [
                            each.metric_approximate_number_of_messages_visible(period=_PERIOD)
                            for each in queues.dead_by_role.values()
                        ],
                    ),
                ],
            ],
        )

    def _own(self, name: str) -> list[cloudwatch.IMetric]:
        """Of requests, and of the calls for batches."""
        return [
            own_metric(name, self._prefix, period=_PERIOD, by={metrics.SOURCE: source})
            for source in (metrics.API, metrics.BATCH)
        ]

    def _each(self, name: str, dimensions: tuple[str, ...]) -> cloudwatch.IMetric:
        return each_own_metric(name, self._prefix, dimensions, period=_PERIOD)


def _chart(title: str, left: list[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=left, width=_HALF)
