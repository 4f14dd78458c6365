"""How the stores reach AWS: one place for timeouts and retries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

# A request waits for each call.
_IMPATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


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
