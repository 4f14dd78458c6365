"""What /docs shows: an OpenAPI description made from the types that really validate and answer."""

from typing import Any

from pydantic.json_schema import models_json_schema

from functions.api.framework import FastAPI
from megallm.batches.submission import MAX_REQUESTS
from megallm.catalog.model_info import MAX_LIMIT
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.show_batches import DEFAULT_LIMIT as DEFAULT_BATCH_LIMIT
from megallm.operations.show_batches import MAX_LIMIT as MAX_BATCH_LIMIT

Json = dict[str, Any]  # Any: JSON Schema

_ERROR_STATUSES = {
    "400": "The request is at fault; `error.param` names the field",
    "401": "No key, or one that is unknown, expired or revoked",
    "404": "There is no such model or batch",
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
            **_batch_paths(),
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


def _batch_paths() -> Json:
    limit: Json = {"type": "integer", "minimum": 1, "maximum": MAX_BATCH_LIMIT, "default": DEFAULT_BATCH_LIMIT}
    cursors: Json = {"after_id": {"type": "string"}, "before_id": {"type": "string"}}
    path = "/v1/messages/batches"
    one = f"{path}/{{batch_id}}"
    return {
        path: {
            "post": _operation("Create a batch of messages", body="BatchCreate", answer="MessageBatch"),
            "get": _operation("List batches", answer="MessageBatchPage", query={"limit": limit, **cursors}),
        },
        one: {
            "get": _operation("Retrieve a batch", answer="MessageBatch", path="batch_id"),
            "delete": _operation("Delete a batch that has ended", answer="DeletedMessageBatch", path="batch_id"),
        },
        f"{one}/cancel": {"post": _operation("Cancel a batch", answer="MessageBatch", path="batch_id")},
        f"{one}/results": {
            "get": _operation(
                "Read the results of a batch that has ended, a line a request",
                answer="MessageBatchResult",
                path="batch_id",
                media_type="application/x-jsonl",
            )
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
    media_type: str = "application/json",
    secured: bool = True,
) -> Json:
    content: Json = {media_type: {"schema": _ref(answer)}}
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
_TIME: Json = {"type": "string", "format": "date-time"}
_NULLABLE_TIME: Json = {"type": ["string", "null"], "format": "date-time"}

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
    "BatchCreate": _object(
        {
            "requests": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_REQUESTS,
                "items": _object(
                    {
                        "custom_id": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                        "params": _ref("MessagesRequest"),
                    }
                ),
            }
        }
    ),
    "MessageBatch": _object(
        {
            "id": _STRING,
            "type": {"const": "message_batch"},
            "processing_status": {"enum": ["in_progress", "canceling", "ended"]},
            "request_counts": _object(
                dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), _INTEGER)
            ),
            "created_at": _TIME,
            "expires_at": _TIME,
            "ended_at": _NULLABLE_TIME,
            "cancel_initiated_at": _NULLABLE_TIME,
            "archived_at": _NULLABLE_TIME,
            "results_url": _NULLABLE_STRING,
        }
    ),
    "MessageBatchPage": _object(
        {
            "data": {"type": "array", "items": _ref("MessageBatch")},
            "has_more": {"type": "boolean"},
            "first_id": _NULLABLE_STRING,
            "last_id": _NULLABLE_STRING,
        }
    ),
    "DeletedMessageBatch": _object({"id": _STRING, "type": {"const": "message_batch_deleted"}}),
    "MessageBatchResult": _object(
        {
            "custom_id": _STRING,
            "result": {
                "oneOf": [
                    _object({"type": {"const": "succeeded"}, "message": _ref("Message")}),
                    _object({"type": {"const": "errored"}, "error": _ref("Error")}),
                    _object({"type": {"enum": ["canceled", "expired"]}}),
                ]
            },
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
