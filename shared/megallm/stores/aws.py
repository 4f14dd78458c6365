"""How the stores reach AWS: one place for timeouts and retries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
        """A DynamoDB client that gives up soon: a request waits for it."""
        config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
        client: DynamoDBClient = self.session().client("dynamodb", endpoint_url=self.endpoint_url, config=config)
        return client
