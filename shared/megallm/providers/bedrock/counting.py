"""The input tokens of a request as Bedrock counts them: what CountTokens is asked, and its answer.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html
"""

from base64 import b64encode
from collections.abc import Mapping

from pydantic_core import from_json, to_json

from megallm.errors import UpstreamFailed


def invoke_question(body: bytes) -> bytes:
    """Asks for the tokens of a body for InvokeModel."""
    return to_json({"input": {"invokeModel": {"body": b64encode(body).decode()}}})


def converse_question(prompt: Mapping[str, object]) -> bytes:
    """Asks for the tokens of the input of a Converse request."""
    return to_json({"input": {"converse": prompt}})


def answer(body: bytes) -> int:
    """The number in CountTokens' answer. Raises UpstreamFailed for anything else."""
    try:
        payload = from_json(body)
    except ValueError as error:
        raise UpstreamFailed("The upstream's count of tokens is not valid JSON") from error
    tokens = payload.get("inputTokens") if isinstance(payload, dict) else None
    if not isinstance(tokens, int):
        raise UpstreamFailed("The upstream's count of tokens is no number")
    return tokens
