"""Stands between a function and the emulator, and notes which actions of IAM its calls are, and on what."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Seen = set[tuple[str, str]]  # what grants.py calls a resource, and the action

_SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "AWSEvents": "events",
    "secretsmanager": "secretsmanager",
    "AmazonSSM": "ssm",
}
# A transaction is allowed by what it is made of.
_IN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def actions_of(method: str, target: str, path: str, body: bytes, *, prefix: str, bucket: str) -> Seen:
    """Of one request. *target* is its ``X-Amz-Target``, empty for S3."""
    if not target:
        return _of_s3(method, path, bucket)
    protocol, _, operation = target.partition(".")
    service = _SERVICES[protocol]
    asked = json.loads(body or b"{}")
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            writes = [
                (_IN_A_TRANSACTION[kind], write["TableName"])
                for each in asked["TransactItems"]
                for kind, write in each.items()
            ]
            return {(_role(table, prefix), f"dynamodb:{action}") for action, table in writes}
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            return {(_role(table, prefix), f"dynamodb:{operation}") for table in asked["RequestItems"]}
        case "dynamodb", _:
            return {(_role(asked["TableName"], prefix), f"dynamodb:{operation}")}
        case "sqs", _:
            queue = _role(asked["QueueUrl"].rpartition("/")[2], prefix)
            return {(f"{queue}-queue", f"sqs:{operation.removesuffix('Batch')}")}
        case "events", _:
            return {("bus", f"events:{operation}")}
        case "secretsmanager", _:
            return {("signing", f"secretsmanager:{operation}")}
        case _:
            return {("parameters", f"{service}:{operation}")}


def _role(name: str, prefix: str) -> str:
    return name.removeprefix(f"{prefix}-")


def _of_s3(method: str, path: str, bucket: str) -> Seen:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = parts.path.removeprefix(f"/{bucket}").strip("/")
    match method:
        case "GET" | "HEAD" if key:
            return {("objects", "s3:GetObjectVersion" if "versionId" in query else "s3:GetObject")}
        case "GET":
            return {("bucket", "s3:ListBucket")}
        case "DELETE" if "uploadId" in query:
            return {("objects", "s3:AbortMultipartUpload")}
        case "DELETE":
            return {("objects", "s3:DeleteObject")}
        case "POST" if "delete" in query:
            return {("objects", "s3:DeleteObject")}
        case _:
            return {("objects", "s3:PutObject")}


@contextmanager
def recording(endpoint_url: str, *, prefix: str, bucket: str, seen: Seen) -> Iterator[str]:
    """The address that a function is given in place of *endpoint_url*; *seen* is filled."""
    forward_to = urlsplit(endpoint_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self._body()
            target = self.headers.get("x-amz-target", "")
            seen.update(actions_of(self.command, target, self.path, body, prefix=prefix, bucket=bucket))
            connection = http.client.HTTPConnection(forward_to, timeout=60)
            dropped = {"transfer-encoding", "content-length", "connection"}
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in dropped or (self.command == "HEAD" and name.lower() == "content-length"):
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815  the names that are looked for

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", "0")))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the overridden method's name for it
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
