"""The functions' own metrics as CloudWatch finds them: one with its dimensions, or all that have some of them."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from megallm.telemetry.metrics import METRICS, NAMESPACE, STACK


def own_metric(
    name: str, prefix: str, *, period: Duration, statistic: str = "Sum", by: Mapping[str, str] | None = None
) -> cloudwatch.Metric:
    """With these values of its dimensions, beside the stack's. Raises KeyError where it is not written so."""
    dimensions = {STACK: prefix, **(by or {})}
    if tuple(dimensions) not in METRICS[name].sets:
        raise KeyError(f"{name} is not written by {', '.join(dimensions)}")
    told = [name, *by.values(), *(() if statistic == "Sum" else (statistic,))] if by else []
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map=dimensions,
        period=period,
        statistic=statistic,
        label=" ".join(told) or None,
    )


def each_own_metric(
    name: str, prefix: str, dimensions: tuple[str, ...], *, period: Duration, statistic: str = "Sum"
) -> cloudwatch.IMetric:
    """One line for each combination of values that was written. Raises KeyError where it is not written so.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
    """
    if dimensions not in METRICS[name].sets:
        raise KeyError(f"{name} is not written by {', '.join(dimensions)}")
    schema = ",".join((NAMESPACE, *dimensions))
    found = f'{{{schema}}} MetricName="{name}" {STACK}="{prefix}"'
    return cloudwatch.SearchExpression(
        expression=f"SEARCH('{found}', '{statistic}', {int(period.to_seconds())})", label="", period=period
    )
