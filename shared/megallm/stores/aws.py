"""How the stores reach AWS: one place for timeouts, retries, and for what its failures become.

Clients are made by botocore, as boto3 makes its own: what boto3 adds to them nobody here uses, and importing it takes
an eighth of botocore's own time at every cold start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from megallm.errors import InternalError

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

CONDITION_FAILED = "ConditionalCheckFailedException"

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
    """Turns whatever botocore raises into InternalError: "The gateway could not ..."; the log has the cause."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise InternalError(f"The gateway could not {what}: AWS did not do it") from error


def code_of(error: ClientError) -> str:
    """What AWS calls the failure, "" where it has no name.

    The classes of ``client.exceptions`` say the same, and not among threads: botocore makes them when they are first
    asked for, and two threads that ask at once get two of each, of which one is never caught.
    """
    return str(error.response.get("Error", {}).get("Code", ""))


@dataclass(slots=True)
class _Opened:
    """One session for all clients of a target: it reads its files and AWS's description of a service once."""

    lock: Lock = field(default_factory=Lock)
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class AwsTarget:
    """Which AWS to talk to; what is None comes from botocore's own chain (environment, profile, role)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    _opened: _Opened = field(default_factory=_Opened, init=False, repr=False, compare=False)

    def credentials(self) -> "Credentials | None":
        """Who we are, None where nothing says it; asking may take a call over the network."""
        with self._opened.lock:
            return self._session().get_credentials()

    def dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client."""
        client: DynamoDBClient = self._client("dynamodb", _IMPATIENT)
        return client

    def secretsmanager(self) -> "SecretsManagerClient":
        """A Secrets Manager client."""
        client: SecretsManagerClient = self._client("secretsmanager", _IMPATIENT)
        return client

    def ssm(self) -> "SSMClient":
        """A client of Systems Manager, for its parameters."""
        client: SSMClient = self._client("ssm", _IMPATIENT)
        return client

    def batch_dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client for the batches, which many threads use and nobody waits for."""
        client: DynamoDBClient = self._client("dynamodb", _PATIENT)
        return client

    def s3(self) -> "S3Client":
        """An S3 client, for bulk transfers."""
        client: S3Client = self._client("s3", _BULK)
        return client

    def sqs(self) -> "SQSClient":
        """An SQS client."""
        client: SQSClient = self._client("sqs", _PATIENT)
        return client

    def cloudformation(self) -> Any:  # Any: its types are not among those that we install
        """A CloudFormation client."""
        return self._client("cloudformation", _PATIENT)

    def events(self) -> "EventBridgeClient":
        """An EventBridge client."""
        client: EventBridgeClient = self._client("events", _PATIENT)
        return client

    def _client(self, service: str, config: Config) -> Any:  # Any: which one it is, is the service's name
        # A session makes clients for one thread at a time; those may be used by many.
        with self._opened.lock:
            return self._session().create_client(service, endpoint_url=self.endpoint_url, config=config)

    def _session(self) -> Session:
        if self._opened.session is None:
            session = Session(profile=self.profile)
            if self.access_key_id is not None and self.secret_access_key is not None:
                session.set_credentials(self.access_key_id, self.secret_access_key)
            if self.region is not None:
                session.set_config_variable("region", self.region)
            self._opened.session = session
        return self._opened.session
