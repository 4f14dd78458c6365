"""What /docs shows: an OpenAPI description made from the types that really validate and answer."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from megallm.catalog.model_info import MAX_LIMIT
from megallm.messages.requests import MessagesRequest, TokenCountRequest

Json = dict[str, Any]  # Any: JSON Schema

_ERROR_STATUSES = {
    "400": "The request is at fault; `error.param` names the field",
    "401": "No key, or one that is unknown, expired or revoked",
    "404": "There is no such model",
    "413": "The body is too large",
    "429": "A limit is used up; `retry-after` says for how long",
    "500": "The gateway or its upstream failed",
    "504": "The upstream took too long",
    "529": "The upstream is overloaded",
}


def describe(app: FastAPI) -> Json:
    """The description, made when first asked for."""
    if app.openapi_schema is None:
        app.openapi_schema = _document(app.title, app.version)
    return app.openapi_schema


def _document(title: str, version: str) -> Json:
    _, definitions = models_json_schema(
        [(MessagesRequest, "validation"), (TokenCountRequest, "validation")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Json = {**definitions["$defs"], **_REPLIES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "summary": "Anthropic's Messages API, answered by the models of this gateway's catalogue",
        },
        "paths": {
            "/v1/messages": {
                "post": _operation(
                    "Create a message",
                    body="MessagesRequest",
                    answer="Message",
                    stream="With `stream: true`, server-sent events from message_start to message_stop",
                )
            },
            "/v1/messages/count_tokens": {
                "post": _operation("Count input tokens", body="TokenCountRequest", answer="TokenCount")
            },
            "/v1/models": {
                "get": _operation(
                    "List models",
                    answer="ModelPage",
                    query={
                        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
                        "after_id": {"type": "string"},
                        "before_id": {"type": "string"},
                        "lifecycle": {"type": "array", "items": {"enum": ["active", "deprecated", "retired"]}},
                    },
                )
            },
            "/v1/models/{model_id}": {"get": _operation("Retrieve a model", answer="ModelInfo", path="model_id")},
            "/health": {"get": _operation("Whether the process answers", answer="Health", secured=False)},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(
    summary: str,
    *,
    answer: str,
    body: str | None = None,
    stream: str | None = None,
    query: Json | None = None,
    path: str | None = None,
    secured: bool = True,
) -> Json:
    content: Json = {"application/json": {"schema": _ref(answer)}}
    if stream is not None:
        content["text/event-stream"] = {"schema": {"type": "string", "description": stream}}
    responses: Json = {"200": {"description": "OK", "content": content}}
    operation: Json = {"summary": summary, "responses": responses}
    if secured:
        operation["security"] = [{"key": []}, {"bearer": []}]
        for status, description in _ERROR_STATUSES.items():
            responses[status] = {
                "description": description,
                "content": {"application/json": {"schema": _ref("Error")}},
            }
    parameters = [{"name": name, "in": "query", "schema": schema} for name, schema in (query or {}).items()]
    if path is not None:
        parameters.append({"name": path, "in": "path", "required": True, "schema": {"type": "string"}})
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return operation


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


_STRING: Json = {"type": "string"}
_INTEGER: Json = {"type": "integer", "minimum": 0}
_NULLABLE_STRING: Json = {"type": ["string", "null"]}

_REPLIES: Json = {
    "Usage": _object(
        dict.fromkeys(
            (
                "input_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "output_tokens",
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
            ),
            _INTEGER,
        ),
        {"output_tokens_details": _object({"thinking_tokens": _INTEGER})},
    ),
    "Message": _object(
        {
            "id": _STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": _STRING,
            "content": {"type": "array", "items": _object({"type": _STRING})},
            "stop_reason": _STRING,
            "stop_sequence": _NULLABLE_STRING,
            "usage": _ref("Usage"),
        }
    ),
    "TokenCount": _object({"input_tokens": _INTEGER}),
    "ModelInfo": _object(
        {
            "type": {"const": "model"},
            "id": _STRING,
            "display_name": _STRING,
            "created_at": {"type": "string", "format": "date-time"},
            "lifecycle": {"enum": ["active", "deprecated", "retired"]},
            "max_input_tokens": {"type": ["integer", "null"]},
            "max_tokens": {"type": ["integer", "null"]},
        }
    ),
    "ModelPage": _object(
        {
            "data": {"type": "array", "items": _ref("ModelInfo")},
            "has_more": {"type": "boolean"},
            "first_id": _NULLABLE_STRING,
            "last_id": _NULLABLE_STRING,
        }
    ),
    "Health": _object({"status": _STRING, "version": _STRING}),
    "Error": _object(
        {
            "type": {"const": "error"},
            "error": _object({"type": _STRING, "message": _STRING}, {"param": _STRING, "details": {"type": "object"}}),
            "request_id": _STRING,
        }
    ),
}
