"""The local AWS: moto as a server of this machine alone, with the resources that the gateway needs.

What moto's server gets wrong for us is put right here: it is open to every web page, carries pages that reset and dump
it, and leaves its connections open when it stops.
"""

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend
from moto.moto_server import werkzeug_app
from werkzeug.serving import ThreadedWSGIServer

from megallm.identifiers import new_request_id
from megallm.local.guard import LocalOnlyWsgi, refusal_body
from megallm.local.isolation import local_target
from megallm.local.moto_dynamodb import mend_dynamodb
from megallm.local.moto_s3 import mend_s3
from megallm.stores.resources import INBOX, QUEUES, TABLES, Table, key_schema, name_of
from megallm.telemetry import log

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HOST = "127.0.0.1"
SERVICES = frozenset({"dynamodb", "s3", "sqs"})
BUCKET = "megallm-local"
# A message that was received and not deleted comes again after this.
VISIBILITY_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Resources:
    """What exists in the local AWS: a bucket, and queues by role with their URLs."""

    bucket: str
    queues: dict[str, str]


class LocalAws:
    """A running local AWS."""

    def __init__(self, server: "_Server", thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.endpoint_url = f"http://{HOST}:{server.port}"

    def create_resources(self, **table_names: str) -> Resources:
        """Makes the tables, the bucket and the queues, as the deployed ones are.

        *table_names* are ``keys_table`` and the like, as the settings have them; the others have their usual names.
        """
        target = local_target(self.endpoint_url)
        dynamodb = target.dynamodb()
        for table in TABLES:
            _create_table(dynamodb, table, table_names.get(f"{table.role}_table", name_of(table.role)))
        sqs = target.sqs()
        attributes: Any = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        queues = {role: sqs.create_queue(QueueName=name_of(role), Attributes=attributes)["QueueUrl"] for role in QUEUES}
        intake = sqs.get_queue_attributes(QueueUrl=queues["intake"], AttributeNames=["QueueArn"])["Attributes"]
        _create_bucket(target.s3(), intake["QueueArn"])
        return Resources(bucket=BUCKET, queues=queues)

    def stop(self) -> None:
        """Closes the port and every connection to it, and forgets what was stored."""
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        for service in SERVICES:
            get_backend(service).reset()  # type: ignore[call-overload]  # its names are literals one by one


def _create_bucket(s3: "S3Client", intake_arn: str) -> None:
    """It keeps versions, and new objects of the inbox are told to the intake's queue."""
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    inbox: Any = {
        "QueueArn": intake_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": INBOX}]}},
    }
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [inbox]})


def _create_table(dynamodb: "DynamoDBClient", table: Table, name: str) -> None:
    schema = key_schema(table)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute, _ in schema],
        KeySchema=[{"AttributeName": attribute, "KeyType": kind} for attribute, kind in schema],
        BillingMode="PAY_PER_REQUEST",
    )
    if table.ttl is not None:
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl}
        )


def start(*, port: int = 0) -> LocalAws:
    """Starts the local AWS in a thread; port 0 takes any free one. Raises OSError where the port is taken."""
    mend_dynamodb()
    mend_s3()
    # moto reads MOTO_DISABLE_GLOBAL_CORS once, when it is first imported, and that may have happened already.
    werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]  # imported there, not exported
    listener = socket.create_server((HOST, port), backlog=128)
    bound_port: int = listener.getsockname()[1]
    dispatcher = werkzeug_app.DomainDispatcherApplication(_service_app)  # type: ignore[arg-type]  # any WSGI app will do
    app = LocalOnlyWsgi(dispatcher, port=bound_port)
    with listener:
        server = _Server(HOST, bound_port, app, handler=_Handler, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="local-aws", daemon=True)
    thread.start()
    return LocalAws(server, thread)


def _service_app(service: Any) -> "WSGIApplication":
    """What moto has for one service; for those that nobody needs, its own control pages too, a 403."""
    if service in SERVICES:
        app: WSGIApplication = werkzeug_app.create_backend_app(service)
        return app
    return _refuse


def _refuse(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    request_id = new_request_id()
    body = refusal_body(f"The local AWS has {', '.join(sorted(SERVICES))} only.", request_id)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("request-id", request_id)]
    start_response("403 Forbidden", [*headers, ("Connection", "close")])
    return [body]


class _Handler(werkzeug_app.MotoRequestHandler):
    # Headers and body are sent apart; Nagle's algorithm would hold the body back for 40 ms.
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
        """Says nothing: a line for every table access would bury everything else."""


class _Server(ThreadedWSGIServer):
    """werkzeug's server, which forgets the connections that clients keep open; this one can close them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
        """Takes werkzeug's messages, in practice moto's tracebacks, without the values that they quote."""
        places = [line.strip() for line in message.splitlines() if line.startswith("  File ")]
        log("local_aws", {"kind": type, "places": places[-6:]})

    def close_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # The client was faster.
                continue
