"""An HTTP server that gives canned answers: a gateway that misbehaves, or AWS's CloudFormation."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal


@dataclass(frozen=True, slots=True)
class Canned:
    """One answer; without a ``content-length`` among the headers it ends with the connection.

    One that falls ``silent`` does so before its head or after its body, and leaves the client waiting.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: Literal["before the head", "after the body"] | None = None


@contextmanager
def canned(answers: Mapping[str, Canned]) -> Iterator[str]:
    """Its address. *answers* are by method and path: ``POST /v1/messages``."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            answer = answers.get(f"{self.command} {self.path}", Canned(404, b"<html>"))
            self.close_connection = True
            if answer.silent == "before the head":
                over.wait()
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.silent == "after the body":
                over.wait()

        do_GET = do_POST = _answer  # noqa: N815  the names that are looked for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the overridden method's name for it
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def stack_with(outputs: Mapping[str, str]) -> Canned:
    """CloudFormation's answer to DescribeStacks, as its query protocol has it."""
    members = "".join(
        f"<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>"
        for name, value in outputs.items()
    )
    told = (
        "<StackName>megallm</StackName><CreationTime>2026-11-22T00:00:00Z</CreationTime>"
        f"<StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{members}</Outputs>"
    )
    body = (
        '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>'
        f"<Stacks><member>{told}</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    ).encode()
    return Canned(200, body, {"content-type": "text/xml", "content-length": str(len(body))})


def no_stack() -> Canned:
    """CloudFormation's answer for a stack that there is not."""
    body = (
        b'<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>'
        b"<Code>ValidationError</Code><Message>Stack with id megallm does not exist</Message></Error></ErrorResponse>"
    )
    return Canned(400, body, {"content-type": "text/xml", "content-length": str(len(body))})
