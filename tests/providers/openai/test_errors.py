"""Error bodies as servers send them, and what they mean for the caller (C32, C33).

Reconstructed from the sources that the modules name; those of llama.cpp were captured from the server in xllamacpp
2026.10.
"""

import pytest
from pydantic_core import to_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
)
from megallm.providers.openai.errors import Filtered, refused
from megallm.providers.openai.errors_body import Said, read_error, said_in
from megallm.providers.openai.errors_overflow import Sizes


def sizes(prompt: int = 50, max_tokens: int = 40, context: int | None = None) -> Sizes:
    return Sizes(prompt=lambda: prompt, max_tokens=max_tokens, context=context)


def meant(status: int, body: object, known: Sizes | None = None, **headers: str) -> GatewayError:
    """The error for a status and a JSON body."""
    raw = body if isinstance(body, bytes) else to_json(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    error = refused(status, names, raw, known or sizes())
    assert isinstance(error, GatewayError)
    return error


def told(error: GatewayError) -> tuple[type[GatewayError], str, str | None]:
    return type(error), error.message, error.param


OPENAI = {
    "error": {
        "message": "Unsupported value: 'temperature' does not support 0.2 with this model.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "unsupported_value",
    }
}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            OPENAI,
            Said(
                message="Unsupported value: 'temperature' does not support 0.2 with this model.",
                type="invalid_request_error",
                code="unsupported_value",
                param="temperature",
            ),
        ),
        (
            {"object": "error", "message": "m", "type": "BadRequestError", "param": None, "code": 400},
            Said(message="m", type="badrequesterror", code="400"),
        ),
        (
            {
                "error": {
                    "code": 400,
                    "message": "m",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9,
                    "n_ctx": 8,
                }
            },
            Said(message="m", type="exceed_context_size_error", code="400", prompt_tokens=9, context_tokens=8),
        ),
        ({"error": "model 'x' not found"}, Said(message="model 'x' not found")),
        ({"detail": "Not Found"}, Said(message="Not Found")),
        ({"detail": [{"loc": ["body"], "msg": "a"}, {"msg": "b"}, "c"]}, Said(message="a; b")),
        ([{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], Said(message="m", code="400")),
        ({"statusCode": 429, "message": "Rate limit is exceeded."}, Said(message="Rate limit is exceeded.")),
        (
            {"error": {"message": {"a": 1}, "innererror": {"code": "X", "content_filter_result": []}}},
            Said(inner_code="x"),
        ),
        ({"error": 7}, Said()),
        ([], Said()),
        ("text", Said()),
    ],
)
def test_every_shape_of_an_error_is_read(body: object, said: Said) -> None:
    """OpenAI, vLLM, llama.cpp, Ollama, FastAPI, Google, Azure's gateway, LiteLLM, and rubbish."""
    assert said_in(body) == said
    assert read_error(to_json(body)) == said


def test_what_is_told_is_short_and_on_one_line() -> None:
    """Without LiteLLM's routing; what it means is looked for in all of it, within bounds."""
    routed = Said("litellm.BadRequestError: no\n\n such. Received Model Group=gpt\nAvailable")
    long = Said("x" * 20_000)

    assert (routed.words, routed.told(str)) == ("litellm.BadRequestError: no such.",) * 2
    assert (long.words, long.told(str)) == ("x" * 10_000, "x" * 500 + "…")


def test_a_page_of_a_proxy_says_nothing() -> None:
    """It is not for the caller."""
    assert read_error(b"<html>Bad Gateway: upstream 10.0.0.3</html>") == Said()


def test_a_request_that_the_server_refuses_is_the_callers() -> None:
    """C32: its words, and the field where we can tell it."""
    assert told(meant(400, OPENAI)) == (
        InvalidRequest,
        "The model's provider refuses the request: Unsupported value: 'temperature' does not support 0.2 with this "
        "model.",
        "temperature",
    )
    assert told(meant(422, b"<html>")) == (
        InvalidRequest,
        "The model's provider refuses the request: no reason given",
        None,
    )


@pytest.mark.parametrize(
    ("param", "ours"),
    [
        ("messages[3].content", "messages"),
        ("messages.[0].content", "messages"),
        ("tools[0].function.parameters", "tools"),
        ("max_completion_tokens", "max_tokens"),
        ("response_format", "output_config.format"),
        ("stop", "stop_sequences"),
        ("logit_bias", None),
    ],
)
def test_a_field_is_named_as_the_caller_knows_it(param: str, ours: str | None) -> None:
    """Not its index, which is another upstream."""
    assert meant(400, {"error": {"message": "m", "param": param}}).param == ours


def test_our_own_faults_leak_nothing() -> None:
    """C32: a wrong key, an unknown model, an empty account: whatever the status and the words."""
    key = {"error": {"message": "Incorrect API key provided: sk-123", "code": "invalid_api_key"}}
    google = [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]
    quota = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    model = {"error": {"message": "The model `m-1` does not exist"}}

    errors = [meant(401, key), meant(403, key), meant(400, google), meant(404, model), meant(429, quota)]

    assert {type(error) for error in errors} == {UpstreamMisconfigured}
    assert {error.message for error in errors} == {
        "The gateway is not set up right for this model's provider",
        "The gateway's account with this model's provider is used up",
    }


def test_a_rate_limit_is_kept_with_its_headers() -> None:
    """C32: what it says names the operator's account and is not told."""
    error = meant(
        429, {"error": {"message": "Rate limit reached"}}, retry_after="7", x_ratelimit_limit_requests="60", x="y"
    )

    assert told(error) == (RateLimited, "The model's provider is limiting requests; send it again later", None)
    assert error.headers == {"retry-after": "7", "x-ratelimit-limit-requests": "60"}


def test_other_statuses_mean_what_they_mean() -> None:
    """C32."""
    assert told(meant(413, b"<html>"))[:2] == (RequestTooLarge, "The request is too large for the model's provider")
    assert type(meant(503, {"error": {"message": "Loading model", "type": "unavailable_error"}})) is UpstreamOverloaded
    assert told(meant(500, {"error": {"message": "secret path"}}))[:2] == (
        UpstreamFailed,
        "The model's provider failed",
    )
    assert type(meant(301, b"")) is UpstreamMisconfigured


def test_an_image_that_the_model_cannot_see_is_the_callers_fault() -> None:
    """llama.cpp calls it a server error."""
    body = {"error": {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}}

    assert told(meant(500, body)) == (
        InvalidRequest,
        "messages: the model's provider says: image input is not supported - hint: …",
        "messages",
    )


AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "jailbreak": {"filtered": True, "detected": True},
                "violence": {"filtered": True, "severity": "medium"},
            },
        },
    }
}


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (400, AZURE_FILTER, "jailbreak, violence"),
        (400, {"error": {"message": "Invalid prompt: flagged", "code": "invalid_prompt"}}, ""),
        (400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}, ""),
        (400, {"error": {"message": "litellm.ContentPolicyViolationError: …", "code": "400"}}, ""),
        (400, {"error": {"message": "m", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, ""),
        (403, {"error": {"message": "m", "type": "content_policy_violation"}}, ""),
    ],
)
def test_a_filtered_prompt_is_no_error(status: int, body: object, found: str) -> None:
    """C11: the reply to it is a refusal."""
    assert refused(status, {}, to_json(body), sizes()) == Filtered(found)


@pytest.mark.parametrize(
    ("message", "known", "expected"),
    [
        # OpenAI, DeepSeek, OpenRouter
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            sizes(),
            "prompt is too long: 9001 tokens > 8192 maximum",
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 254457 tokens "
            "(254417 in the messages, 40 in the completion).",
            sizes(),
            "prompt is too long: 254417 tokens > 8192 maximum",
        ),
        (
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens "
            "(135000 of text input, 5000 in the output).",
            sizes(),
            "prompt is too long: 135000 tokens > 131072 maximum",
        ),
        # vLLM
        (
            "This model's maximum context length is 100 tokens. However, your request has 203 input tokens.",
            sizes(),
            "prompt is too long: 203 tokens > 100 maximum",
        ),
        (
            "This model's maximum context length is 100 tokens. However, you requested 40 output tokens and your "
            "prompt contains at least 61 input tokens, for a total of at least 101 tokens.",
            sizes(prompt=300),
            "prompt is too long: 300 tokens > 100 maximum",
        ),
        (
            "This model's maximum context length is 100 tokens. However, you requested 40 output tokens and your "
            "prompt contains at least 61 input tokens, for a total of at least 101 tokens.",
            sizes(prompt=10),
            "input length and `max_tokens` exceed context limit: 61 + 40 > 100, "
            "decrease input length or `max_tokens` and try again",
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 1000 "
            "tokens and your request has 203 input tokens (1000 > 1000 - 203).",
            sizes(max_tokens=1000),
            "input length and `max_tokens` exceed context limit: 203 + 1000 > 1000, "
            "decrease input length or `max_tokens` and try again",
        ),
        (
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            sizes(),
            "prompt is too long: 5000 tokens > 4096 maximum",
        ),
        # llama.cpp
        (
            "request (831 tokens) exceeds the available context size (512 tokens), try increasing it",
            sizes(),
            "prompt is too long: 831 tokens > 512 maximum",
        ),
        (
            "Requested tokens (2285) exceed context window of 2048",
            sizes(),
            "prompt is too long: 2285 tokens > 2048 maximum",
        ),
        # SGLang, Mistral, Google, a gateway like ours
        (
            "The input (9 tokens) is longer than the model's context length (8 tokens).",
            sizes(),
            "prompt is too long: 9 tokens > 8 maximum",
        ),
        (
            "Requested token count exceeds the model's maximum context length of 100 tokens. You requested a total of "
            "200 tokens: 150 tokens from the input messages and 50 tokens for the completion.",
            sizes(),
            "prompt is too long: 150 tokens > 100 maximum",
        ),
        (
            "Prompt contains 235396 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
            sizes(),
            "prompt is too long: 235396 tokens > 131072 maximum",
        ),
        (
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            sizes(),
            "prompt is too long: 9 tokens > 8 maximum",
        ),
        ("prompt is too long: 9 tokens > 8 maximum", sizes(), "prompt is too long: 9 tokens > 8 maximum"),
        # One number, or none: the catalogue's and our own count
        (
            "This model's maximum context length is 8192 tokens.",
            sizes(prompt=9000),
            "prompt is too long: 9000 tokens > 8192 maximum",
        ),
        (
            "the prompt is longer than the context length currently available to the model; shorten the prompt",
            sizes(prompt=9000, context=8192),
            "prompt is too long: 9000 tokens > 8192 maximum",
        ),
        (
            "Your input exceeds the context window of this model.",
            sizes(prompt=50, context=8192),
            "prompt is too long: more tokens than the 8192 maximum",
        ),
        (
            "the request exceeds the available context size, try increasing it",
            sizes(prompt=9000),
            "prompt is too long: the request exceeds the available context size, try increasing it",
        ),
    ],
)
def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_match(
    message: str, known: Sizes, expected: str
) -> None:
    """C33: with the upstream's numbers, else the catalogue's and our count; never with invented ones."""
    error = meant(400, {"error": {"message": message, "code": 400}}, known)

    assert (type(error), error.message) == (InvalidRequest, expected)
    assert error.param == ("max_tokens" if expected.startswith("input length") else "messages")


def test_fields_of_an_error_stand_over_its_text() -> None:
    """llama.cpp gives both numbers; OpenAI a code, whatever the text."""
    counted = {"message": "too much", "type": "exceed_context_size_error", "n_prompt_tokens": 831, "n_ctx": 512}
    coded = {"message": "Please shorten it.", "code": "context_length_exceeded"}

    assert meant(500, {"error": counted}).message == "prompt is too long: 831 tokens > 512 maximum"
    assert meant(400, {"error": coded}, sizes(9, 1, 8)).message == "prompt is too long: 9 tokens > 8 maximum"


def test_an_id_that_is_too_long_is_not_taken_for_a_prompt() -> None:
    """LiteLLM does, and has clients compact conversations that are short."""
    message = "Invalid 'messages[3].tool_calls[0].id': string too long. Expected a string with maximum length 40"

    error = meant(400, {"error": {"message": message, "code": "string_above_max_length"}})

    assert error.message == f"The model's provider refuses the request: {message}"
