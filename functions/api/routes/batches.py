"""The Message Batches: create, list, retrieve, cancel, delete, results."""

import math
import time

from starlette.requests import Request
from starlette.responses import Response

from functions.api.addresses import base_url
from functions.api.downloads import Download
from functions.api.edge import trace_of
from functions.api.intake import Intake, sender
from functions.api.replies import json_response
from functions.api.routes.messages import Endpoint
from functions.api.uploads import Upload
from megallm.batches.expectation import expected_end_of
from megallm.batches.model import Batch
from megallm.batches.submission import ELSEWHERE
from megallm.batches.wire import deleted_to_wire, page_to_wire, rfc_3339, to_wire
from megallm.errors import GatewayError
from megallm.operations.batch_results import batch_results
from megallm.operations.cancel_batch import cancel_batch
from megallm.operations.delete_batch import delete_batch
from megallm.operations.show_batches import list_batches, show_batch
from megallm.settings import MEBIBYTE, Settings

PATH = "/v1/messages/batches"
# When a batch will be done: by the allowance that the key's batches have, and by its pace once it has one.
EXPECTED_END = "megallm-batch-expected-end"

# Anthropic's limits, of a message's body and of a batch's.
_MESSAGE_BYTES = 32 * MEBIBYTE
_BATCH_BYTES = 256 * MEBIBYTE


def batches_endpoint(intake: Intake) -> Endpoint:
    """All batches of a key: POST makes one, GET lists them."""

    async def post_batch(request: Request) -> Response:
        # Loaded with the first batch: it brings half of the engine, and a cold start has no use for that.
        from megallm.operations.submit_batch import submit_batch

        caller = await intake.caller(request)
        sent_by = sender(request)
        upload = Upload(request, body_limit(intake.gateway.settings), ELSEWHERE)
        try:
            batch = await submit_batch(intake.gateway, caller, sent_by, upload, trace_of(request.scope).request_id)
        except GatewayError:
            await upload.drain()
            raise
        return json_response(_shown(request, batch), _expected(batch))

    async def get_batches(request: Request) -> Response:
        caller = await intake.caller(request)
        sender(request)
        query = request.query_params
        batches, has_more = await list_batches(
            intake.gateway,
            caller,
            limit=query.get("limit"),
            after_id=query.get("after_id"),
            before_id=query.get("before_id"),
        )
        return json_response(page_to_wire(batches, has_more, lambda batch_id: _results_url(request, batch_id)))

    async def batches(request: Request) -> Response:
        return await (post_batch if request.method == "POST" else get_batches)(request)

    return Endpoint(batches)


def batch_endpoint(intake: Intake) -> Endpoint:
    """One batch: GET shows it, DELETE forgets it."""

    async def get_batch(request: Request) -> Response:
        caller = await intake.caller(request)
        sender(request)
        batch = await show_batch(intake.gateway, caller, _id(request))
        return json_response(_shown(request, batch), _expected(batch))

    async def delete(request: Request) -> Response:
        caller = await intake.caller(request)
        sender(request)
        await delete_batch(intake.gateway, caller, _id(request))
        return json_response(deleted_to_wire(_id(request)))

    async def batch(request: Request) -> Response:
        return await (delete if request.method == "DELETE" else get_batch)(request)

    return Endpoint(batch)


def cancel_batch_endpoint(intake: Intake) -> Endpoint:
    """Nothing new of the batch is begun."""

    async def post_cancel(request: Request) -> Response:
        caller = await intake.caller(request)
        sender(request)
        return json_response(_shown(request, await cancel_batch(intake.gateway, caller, _id(request))))

    return Endpoint(post_cancel)


def batch_results_endpoint(intake: Intake) -> Endpoint:
    """The results as JSON lines, through the gateway: a redirect would take the key to another host."""

    async def get_results(request: Request) -> Response:
        caller = await intake.caller(request)
        sender(request)
        return Download(await batch_results(intake.gateway, caller, _id(request)))

    return Endpoint(get_results)


def body_limit(settings: Settings) -> int:
    """The largest body of a batch in bytes: Anthropic's, or a message's where that has been set below Anthropic's.

    Such a setting tells what one HTTP body can carry there; otherwise a batch has no share in it, since it is never
    in memory as a whole.
    """
    return _BATCH_BYTES if settings.max_body_bytes >= _MESSAGE_BYTES else settings.max_body_bytes


def _id(request: Request) -> str:
    return str(request.path_params["batch_id"])


def _shown(request: Request, batch: Batch) -> dict[str, object]:
    return to_wire(batch, _results_url(request, batch.id))


def _expected(batch: Batch) -> dict[str, str]:
    end = expected_end_of(batch, time.time())
    return {} if end is None else {EXPECTED_END: rfc_3339(math.ceil(end))}


def _results_url(request: Request, batch_id: str) -> str:
    return f"{base_url(request)}{PATH}/{batch_id}/results"
