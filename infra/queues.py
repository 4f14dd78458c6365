"""The queues, each with one for what could not be worked off."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from megallm.stores.resources import QUEUES, name_of

KEPT = Duration.days(14)  # the longest that SQS offers: also what nobody looked at for a week is still there
# Crashes, not refusals: work that only has to wait is sent anew and does not count.
TRIES = 5
# AWS's advice for queues that Lambda reads: a batch of messages may be held back while the function is throttled.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6


class Queues(Construct):
    """By role: the queue, and its dead letters."""

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str, function_seconds: int) -> None:
        super().__init__(scope, construct_id)
        self.dead_by_role = {
            role: self._queue(f"{role.capitalize()}Dead", name_of(f"{role}-dead", prefix), None) for role in QUEUES
        }
        self.by_role = {
            role: self._queue(
                role.capitalize(),
                name_of(role, prefix),
                sqs.DeadLetterQueue(max_receive_count=TRIES, queue=self.dead_by_role[role]),
                Duration.seconds(VISIBILITY_FACTOR * function_seconds),
            )
            for role in QUEUES
        }

    def _queue(
        self, construct_id: str, name: str, dead: sqs.DeadLetterQueue | None, visibility: Duration | None = None
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            queue_name=name,
            dead_letter_queue=dead,
            visibility_timeout=visibility,
            retention_period=KEPT,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
