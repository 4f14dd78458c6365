"""The app as a Lambda handler: Mangum, and an answer for the few events that Mangum cannot read."""

from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.protocols import HTTPCycle
from mangum.types import ASGI, LambdaContext, LambdaEvent
from pydantic_core import to_json

from megallm.errors import InvalidRequest, envelope
from megallm.identifiers import new_request_id
from megallm.telemetry import log

# What is none of these leaves in base64, which a REST API without binary media types hands on as it is. The results of
# a batch are JSON lines.
_TEXTS = [*DEFAULT_TEXT_MIME_TYPES, "application/x-jsonl"]


class LambdaEntry(Mangum):
    """A handler of API Gateway's REST and HTTP events that always answers in the documented shape.

    No lifespan: Mangum would run it anew for every invocation.
    """

    def __init__(self, app: ASGI) -> None:
        super().__init__(app, lifespan="off", text_mime_types=_TEXTS)

    def __call__(self, event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:
        try:
            request = self.infer(event, context)
            scope, body = request.scope, request.body
        except Exception as error:  # noqa: BLE001  whatever a lone surrogate, an odd Host or no request at all sets off
            return unreadable(error)
        return request(HTTPCycle(scope, body)(self.app))


def unreadable(error: Exception) -> dict[str, Any]:
    """The answer to an HTTP event that cannot be read, and a line in the log that says why."""
    request_id = new_request_id()
    log("unreadable_event", {"request_id": request_id}, error=error)
    refusal = InvalidRequest("The gateway could not read this request")
    return {
        "statusCode": refusal.status,
        "headers": {"content-type": "application/json", "request-id": request_id, "x-should-retry": "false"},
        "body": to_json(envelope(refusal, request_id)).decode(),
        "isBase64Encoded": False,
    }
