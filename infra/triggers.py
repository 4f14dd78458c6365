"""What starts the batch functions: their queues, and the clock."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

EVERY = Duration.minutes(1)


def feed(function: lambda_.Function, queue: sqs.Queue, concurrency: int) -> None:
    """One message an invocation, since each may take as long as a function may run.

    The function names those that failed, so that only they come back.
    """
    function.add_event_source(
        sources.SqsEventSource(queue, batch_size=1, report_batch_item_failures=True, max_concurrency=concurrency)
    )


class Clock(Construct):
    """Looks after what got lost: expired leases, batches whose last message never came."""

    def __init__(self, scope: Construct, construct_id: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        self.rule = events.Rule(
            self,
            "Rule",
            description="Continues and ends batches of which no message is left.",
            schedule=events.Schedule.rate(EVERY),
            # The next minute is the retry.
            targets=[targets.LambdaFunction(function, retry_attempts=0, max_event_age=EVERY)],
        )
