"""GET /v1/models and GET /v1/models/{model_id}."""

from starlette.requests import Request
from starlette.responses import Response

from functions.api.intake import Intake, sender
from functions.api.replies import json_response
from functions.api.routes.messages import Endpoint
from megallm.catalog.model_info import page, to_wire


def list_models_endpoint(intake: Intake) -> Endpoint:
    """The catalogue, page by page."""

    async def get_models(request: Request) -> Response:
        await intake.caller(request)
        sender(request)
        query = request.query_params
        return json_response(
            page(
                intake.gateway.catalog,
                limit=query.get("limit"),
                after_id=query.get("after_id"),
                before_id=query.get("before_id"),
                lifecycles=[*query.getlist("lifecycle"), *query.getlist("lifecycle[]")],
            )
        )

    return Endpoint(get_models)


def retrieve_model_endpoint(intake: Intake) -> Endpoint:
    """One model, by its id or an alias."""

    async def get_model(request: Request) -> Response:
        await intake.caller(request)
        sender(request)
        return json_response(to_wire(intake.gateway.catalog.find(request.path_params["model_id"])))

    return Endpoint(get_model)
