"""The three ways to serve what streams: which process answers, with which variables, and how API Gateway calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from infra.function_specs import MESSAGES
from infra.options import BrokenOptions, Options

_ADAPTER_PORT = "8080"


@dataclass(frozen=True, slots=True)
class StreamingEntry:
    """What the messages function has beside what all have."""

    handler: str
    environment: Mapping[str, str]
    layer_arns: tuple[str, ...] = field(default=())


def streaming_entry(options: Options) -> StreamingEntry | None:
    """None where nothing streams, and there is no such function. Raises BrokenOptions."""
    match options.streaming:
        case "runtime":
            # The wrapper starts our own client of the Runtime API. AWS's, which would know the layers' path, is out.
            wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/functions/api/streaming-wrapper", "PYTHONPATH": LAYERS}
            return StreamingEntry(MESSAGES.handler, wrapper)
        case "adapter":
            if not options.adapter_layer_arn:
                raise BrokenOptions(
                    "adapter_layer_arn: streaming=adapter needs the ARN of AWS's Lambda Web Adapter layer, for your "
                    "region and architecture: https://github.com/aws/aws-lambda-web-adapter has the list"
                )
            adapter = {
                "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
                "AWS_LWA_INVOKE_MODE": "response_stream",
                "AWS_LWA_PORT": _ADAPTER_PORT,
                "AWS_LWA_READINESS_CHECK_PATH": "/health",
                "PYTHONPATH": LAYERS,
            }
            return StreamingEntry("functions/api/adapter-start", adapter, (options.adapter_layer_arn,))
        case "off":
            return None
        case _:
            assert_never(options.streaming)


LAYERS = "/opt/python"
