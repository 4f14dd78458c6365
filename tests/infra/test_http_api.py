"""The stack's REST API: which path streams, what API Gateway says by itself, what it logs and holds back."""

import json
from typing import Any

import pytest

from tests.infra.conftest import CERTIFICATE
from tests.infra.synthesis import Template, resources, text_of

pytestmark = pytest.mark.slow


def _paths(template: Template) -> dict[str, str]:
    """Of each resource, by its reference."""
    parts = resources(template, "AWS::ApiGateway::Resource")
    found: dict[str, str] = {}

    def path(name: str) -> str:
        if name not in parts:
            return ""
        parent = parts[name]["ParentId"]
        return f"{path(parent.get('Ref', ''))}/{parts[name]['PathPart']}"

    for name in parts:
        found[name] = path(name)
    return found


def _methods(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """Integrations by path and method."""
    paths = _paths(template)
    return {
        (paths.get(each["ResourceId"].get("Ref", ""), "/"), each["HttpMethod"]): each["Integration"]
        for each in resources(template, "AWS::ApiGateway::Method").values()
    }


def _function_of(template: Template, integration: dict[str, Any]) -> str:
    uri = text_of(integration["Uri"])
    functions = resources(template, "AWS::Lambda::Function")
    (found,) = [each["FunctionName"] for name, each in functions.items() if f"<{name}.Arn>" in uri]
    return str(found)


@pytest.mark.parametrize(("stack", "prefix"), [("template", "megallm"), ("adapted", "adapted")])
def test_messages_and_results_stream_and_nothing_else(stack: str, prefix: str, request: pytest.FixtureRequest) -> None:
    """Through Lambda's streaming call, for up to 15 minutes."""
    template = request.getfixturevalue(stack)
    streamed = {
        key: (
            each["ResponseTransferMode"],
            each["TimeoutInMillis"],
            text_of(each["Uri"]).rsplit("/", 1)[-1],
            _function_of(template, each),
        )
        for key, each in _methods(template).items()
        if "ResponseTransferMode" in each
    }

    expected = ("STREAM", 900_000, "response-streaming-invocations", f"{prefix}-messages")
    assert streamed == {
        ("/v1/messages", "POST"): expected,
        ("/v1/messages/batches/{batch_id}/results", "GET"): expected,
    }


def test_everything_else_goes_to_the_app(template: Template) -> None:
    """Also other methods of a path that is spelled out, which the catch-all no longer sees."""
    buffered = {
        key: _function_of(template, each)
        for key, each in _methods(template).items()
        if "ResponseTransferMode" not in each
    }

    paths = ["/", "/{proxy+}", "/v1/messages", "/v1/messages/batches", "/v1/messages/batches/{batch_id}"]
    paths.append("/v1/messages/batches/{batch_id}/results")
    assert buffered == {(path, "ANY"): "megallm-api" for path in paths}


def test_without_streaming_one_function_answers_every_path(chosen: Template) -> None:
    """There is nothing to tell apart."""
    methods = _methods(chosen)

    assert {key: _function_of(chosen, each) for key, each in methods.items()} == {
        ("/", "ANY"): "other-api",
        ("/{proxy+}", "ANY"): "other-api",
    }
    assert [each for each in methods.values() if "ResponseTransferMode" in each] == []


def test_the_api_is_regional(template: Template) -> None:
    """Edge-optimized ones give up a stream that is silent for 30 seconds."""
    (api,) = resources(template, "AWS::ApiGateway::RestApi").values()

    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_a_domain_of_ones_own_is_the_endpoint(template: Template, chosen: Template) -> None:
    """Regional, by TLS 1.2 at least, with nothing in its path; DNS is its owner's."""
    ((name, domain),) = resources(chosen, "AWS::ApiGateway::DomainName").items()
    (mapping,) = resources(chosen, "AWS::ApiGateway::BasePathMapping").values()
    (stage,) = resources(chosen, "AWS::ApiGateway::Stage")
    outputs = {each: text_of(output["Value"]) for each, output in chosen["Outputs"].items()}

    assert domain == {
        "DomainName": "llm.example.com",
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "RegionalCertificateArn": CERTIFICATE,
        "SecurityPolicy": "TLS_1_2",
    }
    assert (text_of(mapping["Stage"]), "BasePath" in mapping) == (f"<{stage}>", False)
    assert (outputs["Endpoint"], outputs["DomainTarget"]) == (f"https://<{name}>/", f"<{name}.RegionalDomainName>")
    assert resources(template, "AWS::ApiGateway::DomainName") == {}
    assert "DomainTarget" not in template["Outputs"]


def test_requests_are_throttled_before_any_function_runs(template: Template) -> None:
    """Over all keys; and what a request held is in no log."""
    (stage,) = resources(template, "AWS::ApiGateway::Stage").values()

    assert stage["MethodSettings"] == [
        {
            "DataTraceEnabled": False,
            "HttpMethod": "*",
            "LoggingLevel": "OFF",
            "ResourcePath": "/*",
            "ThrottlingBurstLimit": 400,
            "ThrottlingRateLimit": 200,
        }
    ]


def test_the_access_log_has_numbers_and_names_alone(template: Template) -> None:
    """A path may hold anything, a key pasted by mistake too; an address is a person's."""
    (stage,) = resources(template, "AWS::ApiGateway::Stage").values()
    destination = text_of(stage["AccessLogSetting"]["DestinationArn"])
    (log,) = [each for name, each in resources(template, "AWS::Logs::LogGroup").items() if f"<{name}>" in destination]

    assert log["RetentionInDays"] == 30
    assert json.loads(stage["AccessLogSetting"]["Format"]) == {
        "requestId": "$context.requestId",
        "requestTime": "$context.requestTime",
        "method": "$context.httpMethod",
        "resource": "$context.resourcePath",
        "status": "$context.status",
        "responseBytes": "$context.responseLength",
        "responseMs": "$context.responseLatency",
        "integrationMs": "$context.integration.latency",
        "integrationStatus": "$context.integration.status",
        "functionRequestId": "$context.integration.requestId",
        "refusedAs": "$context.error.responseType",
    }


def test_what_api_gateway_says_by_itself_has_the_sdks_shape(template: Template) -> None:
    """Every kind of answer, with a type that the contract has for its status."""
    found = {}
    for response in resources(template, "AWS::ApiGateway::GatewayResponse").values():
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert body == {
            "type": "error",
            "error": {"type": body["error"]["type"], "message": body["error"]["message"]},
            "request_id": "$context.requestId",
        }
        assert response["ResponseParameters"]["gatewayresponse.header.request-id"] == "context.requestId"
        found[response["ResponseType"]] = (int(response["StatusCode"]), body["error"]["type"])

    assert found == {
        "DEFAULT_4XX": (400, "invalid_request_error"),
        "DEFAULT_5XX": (500, "api_error"),
        "ACCESS_DENIED": (403, "permission_error"),
        "API_CONFIGURATION_ERROR": (500, "api_error"),
        "BAD_REQUEST_BODY": (400, "invalid_request_error"),
        "BAD_REQUEST_PARAMETERS": (400, "invalid_request_error"),
        "INTEGRATION_FAILURE": (500, "api_error"),
        "INTEGRATION_TIMEOUT": (504, "timeout_error"),
        "INVALID_SIGNATURE": (403, "permission_error"),
        "MISSING_AUTHENTICATION_TOKEN": (404, "not_found_error"),
        "QUOTA_EXCEEDED": (429, "rate_limit_error"),
        "REQUEST_TOO_LARGE": (413, "request_too_large"),
        "RESOURCE_NOT_FOUND": (404, "not_found_error"),
        "THROTTLED": (429, "rate_limit_error"),
        "UNAUTHORIZED": (401, "authentication_error"),
        "UNSUPPORTED_MEDIA_TYPE": (400, "invalid_request_error"),
        "WAF_FILTERED": (403, "permission_error"),
    }


def test_the_sdks_are_told_which_of_these_are_worth_another_try(template: Template) -> None:
    """They read `x-should-retry`, and `retry-after` in whole seconds above zero."""
    hints: dict[int, set[tuple[str | None, str | None]]] = {}
    for response in resources(template, "AWS::ApiGateway::GatewayResponse").values():
        headers = response["ResponseParameters"]
        hint = (
            headers.get("gatewayresponse.header.x-should-retry"),
            headers.get("gatewayresponse.header.retry-after"),
        )
        hints.setdefault(int(response["StatusCode"]), set()).add(hint)

    never = {("'false'", None)}
    assert hints == {
        **dict.fromkeys((400, 401, 403, 404, 413), never),
        429: {(None, "'1'")},
        500: {(None, None)},
        504: {(None, None)},
    }
