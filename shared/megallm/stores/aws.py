"""How the stores reach AWS: one place for timeouts, retries, and for what its failures become."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from megallm.errors import InternalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

# A request waits for each call.
_IMPATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
# Nobody waits for a batch's calls, and many threads share a client; but a lease of a minute has to be renewed in time.
_PATIENT = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=64,
)
# Megabytes go by these calls.
_BULK = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=64,
)


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Turns whatever boto3 raises into InternalError: "The gateway could not ..."; the log has the cause."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise InternalError(f"The gateway could not {what}: AWS did not do it") from error


@dataclass(frozen=True, slots=True)
class AwsTarget:
    """Which AWS to talk to; what is None comes from boto3's own chain (environment, profile, role)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None

    def session(self) -> boto3.Session:
        """A session; boto3's default one is shared state that tests and two targets would fight over."""
        return boto3.Session(
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
            profile_name=self.profile,
        )

    def dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client."""
        client: DynamoDBClient = self.session().client("dynamodb", endpoint_url=self.endpoint_url, config=_IMPATIENT)
        return client

    def secretsmanager(self) -> "SecretsManagerClient":
        """A Secrets Manager client."""
        client: SecretsManagerClient = self.session().client(
            "secretsmanager", endpoint_url=self.endpoint_url, config=_IMPATIENT
        )
        return client

    def ssm(self) -> "SSMClient":
        """A client of Systems Manager, for its parameters."""
        client: SSMClient = self.session().client("ssm", endpoint_url=self.endpoint_url, config=_IMPATIENT)
        return client

    def batch_dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client for the batches, which many threads use and nobody waits for."""
        client: DynamoDBClient = self.session().client("dynamodb", endpoint_url=self.endpoint_url, config=_PATIENT)
        return client

    def s3(self) -> "S3Client":
        """An S3 client, for bulk transfers."""
        client: S3Client = self.session().client("s3", endpoint_url=self.endpoint_url, config=_BULK)
        return client

    def sqs(self) -> "SQSClient":
        """An SQS client."""
        client: SQSClient = self.session().client("sqs", endpoint_url=self.endpoint_url, config=_PATIENT)
        return client

    def events(self) -> "EventBridgeClient":
        """An EventBridge client."""
        client: EventBridgeClient = self.session().client("events", endpoint_url=self.endpoint_url, config=_PATIENT)
        return client
