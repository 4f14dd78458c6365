"""The input tokens of a chat: asked of the server's tokenizer where it has one, else estimated (contract C40).

The estimate: the tokens of all text by a real tokenizer, what the frame of each message and tool costs, and images and
files by their size. Frames as OpenAI's cookbook has them for its models
(https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb):
3 a message and 1 for its role, 3 for the beginning of the reply, 7 a tool and 12 for all of them; a tool's schema
counts as the JSON that it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic_core import from_json, to_json

from megallm.errors import UpstreamFailed
from megallm.providers.openai.count_images import file_tokens, image_tokens

JsonObject = Mapping[str, object]

MESSAGE_TOKENS = 4
REPLY_TOKENS = 3
TOOL_TOKENS = 7
TOOLS_TOKENS = 12

# What of a body a tokenizer wants to see: the rest is about the reply.
_TOKENIZED = ("messages", "tools", "chat_template_kwargs", "add_generation_prompt", "continue_final_message")


def tokenizer_body(model: str, body: JsonObject) -> JsonObject:
    """What the server's tokenizer is sent.

    vLLM's ``/tokenize`` (vllm/entrypoints/serve/tokenize/protocol.py), llama.cpp's
    ``/v1/chat/completions/input_tokens`` (tools/server/README.md) and LiteLLM's ``/utils/token_counter`` take it.
    """
    return {"model": model, **{name: body[name] for name in _TOKENIZED if name in body}}


def counted(answer: bytes) -> int:
    """The count in a tokenizer's answer: ``count`` (vLLM), ``input_tokens`` (llama.cpp), ``total_tokens`` (LiteLLM).

    Raises UpstreamFailed where there is none.
    """
    try:
        told = from_json(answer)
    except ValueError:
        told = None
    if isinstance(told, dict):
        for name in ("count", "input_tokens", "total_tokens"):
            if type(told.get(name)) is int:
                return int(told[name])
    raise UpstreamFailed("The model's provider sent a count of tokens that cannot be read")


def estimate(body: JsonObject, count_text: Callable[[str], int]) -> int:
    """The input tokens of a translated body."""
    messages, tools = _objects(body.get("messages")), _objects(body.get("tools"))
    tokens = REPLY_TOKENS + MESSAGE_TOKENS * len(messages)
    if tools:
        tokens += TOOLS_TOKENS + TOOL_TOKENS * len(tools)
    texts = [to_json(tool.get("function")).decode() for tool in tools]
    if "response_format" in body:
        texts.append(to_json(body["response_format"]).decode())
    for message in messages:
        texts += _texts(message)
        tokens += sum(_media(message))
    return tokens + sum(count_text(text) for text in texts)


def _texts(message: JsonObject) -> Iterator[str]:
    for name in ("content", "reasoning_content", "reasoning"):
        if isinstance(text := message.get(name), str):
            yield text
    for part in _objects(message.get("content")):
        if isinstance(text := part.get("text"), str):
            yield text
    for call in _objects(message.get("tool_calls")):
        yield to_json(call.get("function")).decode()


def _media(message: JsonObject) -> Iterator[int]:
    for part in _objects(message.get("content")):
        match part:
            case {"image_url": {"url": str(url)}}:
                yield image_tokens(url)
            case {"file": {"file_data": str(url)}}:
                yield file_tokens(url)
            case _:
                pass


def _objects(value: object) -> Sequence[JsonObject]:
    return value if isinstance(value, list) else []
