"""The bucket of batches: inputs, checkpoints, results; and which new objects are told to the intake's queue."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from megallm.stores.resources import CHECKPOINTS, INBOX, RESULTS, UPLOADS

_UPLOAD_DAYS = 7
_CHECKPOINT_DAYS = 14  # A batch lives for a day; what a crash left of one may be looked at for a while.


class BatchBucket(Construct):
    """Private, over TLS only, with every object's earlier versions for some days."""

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, retain: bool, result_days: int, noncurrent_days: int
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"{prefix}-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=_lifecycle(result_days, noncurrent_days),
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
        )
        # As text, not as a reference: the queue's policy names the bucket, and the bucket waits for that policy.
        self._arn = f"arn:{Aws.PARTITION}:s3:::{name}"

    def notify(self, queue: sqs.Queue) -> None:
        """New objects of the inbox become messages in this queue.

        In the template itself: CDK's own way is a function that sets it from outside, with rights of its own.
        """
        allowed = queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                resources=[queue.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": self._arn},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=queue.queue_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=INBOX)]
                        )
                    ),
                )
            ]
        )
        # S3 refuses a queue that it may not write to yet.
        assert allowed.policy_dependable is not None
        resource.node.add_dependency(allowed.policy_dependable)


def _lifecycle(result_days: int, noncurrent_days: int) -> list[s3.LifecycleRule]:
    rules = [
        s3.LifecycleRule(
            id="earlier-versions-and-broken-uploads",
            noncurrent_version_expiration=Duration.days(noncurrent_days),
            abort_incomplete_multipart_upload_after=Duration.days(_UPLOAD_DAYS),
        ),
        s3.LifecycleRule(id="checkpoints", prefix=CHECKPOINTS, expiration=Duration.days(_CHECKPOINT_DAYS)),
    ]
    if result_days:
        rules += [
            s3.LifecycleRule(id=prefix.rstrip("/"), prefix=prefix, expiration=Duration.days(result_days))
            for prefix in (INBOX, UPLOADS, RESULTS)
        ]
    return rules
