"""The local AWS: moto as a server of this machine alone, with the resources that the gateway needs.

What moto gets wrong for us is put right here: it is open to every web page, carries pages that reset and dump
it, leaves its connections open when it stops, and its DynamoDB is not atomic under threads.
"""

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend
from moto.dynamodb.responses import DynamoHandler
from moto.moto_server import werkzeug_app
from werkzeug.serving import ThreadedWSGIServer

from megallm.identifiers import new_request_id
from megallm.local.guard import LocalOnlyWsgi, refusal_body
from megallm.local.isolation import local_target
from megallm.telemetry import log

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
SERVICES = frozenset({"dynamodb", "s3", "sqs"})
BUCKET = "megallm-local"
QUEUES = {"intake": "megallm-intake", "work": "megallm-work"}

_DYNAMODB_LOCK = threading.RLock()
_MARK = "megallm_atomic"


def make_dynamodb_atomic() -> None:
    """Lets moto run one DynamoDB operation at a time; more than once does no harm.

    moto checks a condition and writes in separate steps that other threads can come between. The lock is held around
    the whole operation, from reading the request to writing the reply, so what is returned is consistent as well.
    """
    original = DynamoHandler.call_action
    if hasattr(original, _MARK):
        return

    def call_action(self: DynamoHandler) -> Any:
        with _DYNAMODB_LOCK:
            return original(self)

    setattr(call_action, _MARK, True)
    DynamoHandler.call_action = call_action  # type: ignore[method-assign]  # the one way in that moto has


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

    def create_resources(self, *, keys_table: str, limits_table: str = "megallm-limits") -> Resources:
        """Makes the tables, the bucket and the queues, with the same keys that the deployed ones have."""
        target = local_target(self.endpoint_url)
        dynamodb = target.dynamodb()
        for table in (keys_table, limits_table):
            dynamodb.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        dynamodb.update_time_to_live(
            TableName=limits_table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
        )
        session = target.session()
        session.client("s3", endpoint_url=self.endpoint_url).create_bucket(Bucket=BUCKET)
        sqs = session.client("sqs", endpoint_url=self.endpoint_url)
        queues = {role: sqs.create_queue(QueueName=name)["QueueUrl"] for role, name in QUEUES.items()}
        return Resources(bucket=BUCKET, queues=queues)

    def stop(self) -> None:
        """Closes the port and every connection to it, and forgets what was stored."""
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        for service in SERVICES:
            get_backend(service).reset()  # type: ignore[call-overload]  # its names are literals one by one


def start(*, port: int = 0) -> LocalAws:
    """Starts the local AWS in a thread; port 0 takes any free one. Raises OSError where the port is taken."""
    make_dynamodb_atomic()
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
