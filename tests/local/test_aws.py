"""The local AWS: what it offers, whom it answers, how it ends."""

import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from botocore.exceptions import ClientError

from megallm.local import aws
from megallm.local.isolation import enter_local_aws, local_target
from megallm.stores.aws import CONDITION_FAILED, code_of
from megallm.stores.keys import DynamoKeys
from tests.fakes import KEY_RECORD
from tests.local.running import PATIENCE_SECONDS


@pytest.fixture
def local_aws() -> Iterator[aws.LocalAws]:
    """A local AWS on a free port."""
    running = aws.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    """A local AWS that tests only knock at; starting one for each knock would take most of the time."""
    running = aws.start()
    yield running.endpoint_url
    running.stop()


@contextmanager
def threads_switched_often() -> Iterator[None]:
    """Makes the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_the_resources_are_there_for_boto3(local_aws: aws.LocalAws) -> None:
    """Tables, bucket and queues answer to the clients that everything else uses."""
    resources = local_aws.create_resources(keys_table="keys", limits_table="limits")

    target = local_target(local_aws.endpoint_url)
    ttl = target.dynamodb().describe_time_to_live(TableName="limits")["TimeToLiveDescription"]
    assert (ttl.get("TimeToLiveStatus"), ttl.get("AttributeName")) == ("ENABLED", "ttl")
    keys = DynamoKeys(target.dynamodb(), "keys")
    keys.put(KEY_RECORD)
    s3 = target.s3()
    sqs = target.sqs()

    assert list(keys.list()) == [KEY_RECORD]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [resources.bucket] == ["megallm-local"]
    assert sorted(sqs.list_queues()["QueueUrls"]) == sorted(resources.queues.values())
    assert resources.queues == {
        "intake": f"{local_aws.endpoint_url}/123456789012/megallm-intake",
        "work": f"{local_aws.endpoint_url}/123456789012/megallm-work",
        "finish": f"{local_aws.endpoint_url}/123456789012/megallm-finish",
    }


@pytest.mark.slow
def test_a_conditional_update_is_atomic_under_threads(local_aws: aws.LocalAws) -> None:
    """50 of 200 racing updates pass a condition that holds 50 times; moto alone lets more through."""
    local_aws.create_resources(keys_table="keys")
    dynamodb = local_target(local_aws.endpoint_url).dynamodb()

    def admit(_: int) -> bool:
        try:
            dynamodb.update_item(
                TableName="keys",
                Key={"id": {"S": "counter"}},
                UpdateExpression="ADD used :one",
                ConditionExpression="attribute_not_exists(used) OR used < :limit",
                ExpressionAttributeValues={":one": {"N": "1"}, ":limit": {"N": "50"}},
            )
        except ClientError as error:
            if code_of(error) != CONDITION_FAILED:
                raise
            return False
        return True

    with threads_switched_often(), ThreadPoolExecutor(8) as pool:
        admitted = sum(pool.map(admit, range(200)))

    assert admitted == 50


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/moto-api",
        "/moto-api/",
        "/moto-api/reset",
        "//moto-api/reset",
        "/%6doto-api/reset",
        "/moto-api/reset-auth",
        "/moto-api/data.json",
        "/moto-api/config",
        "/moto-api/state-manager/set-transition",
        "/moto-api/recorder/download-recording",
        "/latest/meta-data/iam/security-credentials/",
    ],
)
def test_motos_control_pages_are_out_of_reach(endpoint_url: str, method: str, path: str) -> None:
    """They reset, dump and reconfigure everything, without credentials."""
    answer = httpx.request(method, endpoint_url + path, timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "The local AWS has dynamodb, s3, sqs only.",
    )


def test_signing_for_the_control_service_does_not_reach_it_either(endpoint_url: str) -> None:
    """moto chooses the service by what the signature names."""
    scope = "Credential=local/20260101/amazonaws.com/motoapi/aws4_request"
    headers = {"authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}

    answer = httpx.post(f"{endpoint_url}/x", headers=headers, timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"host": "evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_a_foreign_page_gets_nothing(endpoint_url: str, method: str, headers: dict[str, str]) -> None:
    """Neither an answer nor a CORS header, preflight or not."""
    asking = {"access-control-request-method": "PUT"} if method == "OPTIONS" else {}

    answer = httpx.request(method, endpoint_url, headers=headers | asking, timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_bucket_with_open_cors_rules_does_not_answer_a_foreign_page(local_aws: aws.LocalAws, method: str) -> None:
    """moto would answer by the bucket's rules, whatever its own CORS setting."""
    local_aws.create_resources(keys_table="keys")
    s3 = local_target(local_aws.endpoint_url).s3()
    s3.put_bucket_cors(
        Bucket="megallm-local",
        CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"]}]},
    )
    headers = {"origin": "https://evil.example", "access-control-request-method": "PUT"}

    answer = httpx.request(method, f"{local_aws.endpoint_url}/megallm-local", headers=headers, timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_motos_own_open_cors_is_switched_off(local_aws: aws.LocalAws) -> None:
    """The guard stands before it, and it stays shut behind the guard as well."""
    answer = httpx.get(local_aws.endpoint_url, headers={"origin": local_aws.endpoint_url}, timeout=PATIENCE_SECONDS)

    assert answer.status_code == 200
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_it_listens_on_the_loopback_interface_only(local_aws: aws.LocalAws) -> None:
    """At another address of this machine nobody listens."""
    with pytest.raises(OSError, match=r"refused|assign requested address|timed out"):
        socket.create_connection(("127.0.0.2", httpx.URL(local_aws.endpoint_url).port), timeout=2)


def test_stop_closes_the_port_and_the_connections_that_clients_keep_open() -> None:
    """werkzeug alone would go on answering on them."""
    running = aws.start()

    with httpx.Client(base_url=running.endpoint_url, timeout=PATIENCE_SECONDS) as client:
        before = client.get("/").status_code
        running.stop()

        assert before == 200
        with pytest.raises(httpx.TransportError):
            client.get("/")


def test_the_next_local_aws_starts_empty() -> None:
    """moto keeps what it stores in the process; it must not outlive the server."""
    first = aws.start()
    first.create_resources(keys_table="keys")
    first.stop()

    second = aws.start()
    tables = local_target(second.endpoint_url).dynamodb().list_tables()["TableNames"]
    second.stop()

    assert tables == []


def test_a_taken_port_is_an_error(local_aws: aws.LocalAws) -> None:
    """The caller decides what to do then."""
    port = httpx.URL(local_aws.endpoint_url).port
    assert port is not None

    with pytest.raises(OSError, match="in use"):
        aws.start(port=port)


def test_nothing_of_the_users_own_aws_set_up_stays_in_the_environment() -> None:
    """Profiles, credentials and endpoints of a real account must not reach a local client."""
    environ = {
        "HOME": "/home/x",
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.eu-central-1.amazonaws.com",
        "BOTO_CONFIG": "/home/x/.boto",
        "NO_PROXY": "intern.example",
    }

    enter_local_aws(environ, "http://127.0.0.1:4142")

    assert environ == {
        "HOME": "/home/x",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4142",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,intern.example,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
