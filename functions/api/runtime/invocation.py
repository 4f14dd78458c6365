"""One invocation: what the Runtime API tells of it, and the context that its app sees."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mangum.types import LambdaCognitoIdentity, LambdaMobileClientContext

_LONGEST_MS = 15 * 60 * 1000  # the longest that a function may run


@dataclass(frozen=True, slots=True)
class Invocation:
    """``event`` is JSON. ``invocation_id`` names this attempt, where Lambda gives it a name, and is sent back."""

    request_id: str
    invocation_id: str | None
    trace_id: str | None
    function_arn: str
    deadline_ms: int
    event: bytes

    @classmethod
    def from_wire(cls, headers: Mapping[str, str], body: bytes) -> Self:
        """Of the answer to ``invocation/next``, header names in lower case. Raises KeyError without a request id."""
        deadline = headers.get("lambda-runtime-deadline-ms", "")
        return cls(
            request_id=headers["lambda-runtime-aws-request-id"],
            invocation_id=headers.get("lambda-runtime-invocation-id"),
            trace_id=headers.get("lambda-runtime-trace-id"),
            function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
            deadline_ms=int(deadline) if deadline.isdecimal() else int(time.time() * 1000) + _LONGEST_MS,
            event=body,
        )

    @property
    def seconds_left(self) -> float:
        """Until Lambda stops the function; less than 0 where that is past."""
        return self.deadline_ms / 1000 - time.time()


class Context:
    """The invocation as AWS's runtime for Python shows it to handlers."""

    def __init__(self, invocation: Invocation, environ: Mapping[str, str] = os.environ) -> None:
        self._invocation = invocation
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.function_arn
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0)
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity: LambdaCognitoIdentity | None = None
        self.client_context: LambdaMobileClientContext | None = None

    def get_remaining_time_in_millis(self) -> int:
        """What the invocation has left."""
        return max(0, int(self._invocation.seconds_left * 1000))
