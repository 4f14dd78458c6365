"""Translates a Messages request to the body of a chat-completions request. Pure; what a server takes is its table's."""

from collections.abc import Callable, Mapping
from typing import assert_never

from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import lost_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.frozen import frozen
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.providers.judging import Format
from megallm.providers.openai.dialect import Dialect
from megallm.providers.openai.names import ToolNames, short_id
from megallm.providers.openai.structured import WireFormat, format_to_wire
from megallm.providers.openai.thinking import thinking_to_wire
from megallm.providers.openai.tools import WireTools, names_of, tools_to_wire
from megallm.providers.openai.wire_messages import ChatMessage, Conversation, conversation_to_wire
from megallm.providers.openai.wire_translation import Media, Translation

JsonObject = dict[str, object]

_MOST_TOP_K = 1_000_000  # larger than any vocabulary is the same as all of it, and fits every server's integer


@frozen
class Wire:
    """A translated request, and what reading its reply needs.

    ``stream_body`` goes over ``body`` in a streamed call, ``betas`` into the header; ``tool_names`` maps names as they
    are sent to names as the client knows them. ``ends_early``: the server does not know all stop sequences, so that a
    reply is to be read as it comes and ended by us.
    """

    body: JsonObject
    stream_body: JsonObject
    messages: list[ChatMessage]
    betas: tuple[str, ...]
    tool_names: Mapping[str, str]
    stop_sequences: tuple[str, ...]
    ends_early: bool
    prefill: str
    format: Format | None
    media: Media
    adaptations: tuple[Adaptation, ...]


@frozen
class WireInput:
    """What makes the input: for counting, and as a part of the whole."""

    conversation: Conversation
    tools: WireTools
    format: WireFormat
    thinking: JsonObject

    @property
    def body(self) -> JsonObject:
        """The body's fields about the input."""
        return {
            "messages": self.conversation.messages,
            **self.tools.body,
            **self.format.body,
            **self.thinking,
            **self.conversation.body,
        }


def input_to_wire(call: Call[TokenCountRequest], dialect: Dialect) -> tuple[WireInput, Media]:
    """The input alone, for counting; images by URL stay where they are. Raises InvalidRequest."""
    # Nobody's thinking is taken for ours: without a signer it cannot be told, and it is not counted.
    translation = _translation(call, dialect, "", lambda signature, thinking: None, None)
    return _input(translation, call.request), translation.media


def to_wire(
    call: Call[MessagesRequest],
    dialect: Dialect,
    *,
    route: str,
    route_of: Callable[[str, str], str | None],
    images: Mapping[str, str],
) -> Wire:
    """The whole request. ``images`` has those that were fetched by URL. Raises InvalidRequest with the field's path."""
    request = call.request
    if request.max_tokens == 0:
        raise InvalidRequest(
            f"max_tokens: must be at least 1: {call.upstream_model} has no cache to warm", param="max_tokens"
        )
    translation = _translation(call, dialect, route, route_of, images)
    # The caller's unknown fields first: ours stand over whatever they are called.
    extras = translation.extras(request.model_extra, "")
    if extras.get("service_tier") == "standard_only":
        extras["service_tier"] = "default"  # OpenAI's name of the standard tier
    body: JsonObject = {**extras, "model": call.upstream_model}
    what_makes_it = _input(translation, request)
    body |= what_makes_it.body
    body |= _parameters(translation, call)
    stop, ends_early = _stop(translation, request)
    body |= stop
    betas = _betas(translation, call.betas)
    return Wire(
        body=body,
        stream_body={"stream": True} | ({"stream_options": {"include_usage": True}} if dialect.stream_usage else {}),
        messages=what_makes_it.conversation.messages,
        betas=betas,
        tool_names=translation.names.known_as(),
        stop_sequences=tuple(request.stop_sequences or ()),
        ends_early=ends_early,
        prefill=what_makes_it.conversation.prefill,
        format=what_makes_it.format.format,
        media=translation.media,
        adaptations=(*translation.adaptations, *lost_headers(call)),
    )


def _translation(
    call: Call[TokenCountRequest],
    dialect: Dialect,
    route: str,
    route_of: Callable[[str, str], str | None],
    images: Mapping[str, str] | None,
) -> Translation:
    names = ToolNames(names_of(call.request))
    return Translation(call.upstream_model, route, call.takes, dialect, names, route_of, images)


def _input(translation: Translation, request: TokenCountRequest) -> WireInput:
    tools = tools_to_wire(translation, request)
    conversation = conversation_to_wire(translation, request.messages)
    prefilled = bool(conversation.prefill)
    output = request.output_config
    wanted = output.format if output is not None else None
    format_ = format_to_wire(translation, wanted, prefilled=prefilled)
    if wanted is not None:
        translation.lost(wanted.model_extra, "output_config.format")
    thinking = thinking_to_wire(translation, request, forced_tool=tools.forced, prefilled=prefilled)
    if output is not None:
        thinking |= translation.extras(output.model_extra, "output_config.")
    system = "\n\n".join(text for text in (_system_text(translation, request), format_.instruction) if text)
    if system:
        conversation.messages.insert(0, {"role": translation.dialect.system_role, "content": system})
    return WireInput(conversation, tools, format_, thinking)


def _system_text(translation: Translation, request: TokenCountRequest) -> str:
    system = request.system
    if system is None or isinstance(system, str):
        return system or ""
    for index, block in enumerate(system):
        translation.lost(block.model_extra, f"system.{index}")
    return "\n".join([block.text for block in system])


def _parameters(translation: Translation, call: Call[MessagesRequest]) -> JsonObject:
    request = call.request
    parameters: JsonObject = {}
    if (name := translation.field("max_tokens", "max_tokens")) is not None:
        parameters[name] = _max_tokens(translation, call)
    for field in ("temperature", "top_p"):
        value = getattr(request, field)
        if value is not None and (name := translation.field(field, field)) is not None:
            parameters[name] = value
    if request.top_k is not None and (name := translation.field("top_k", "top_k")) is not None:
        parameters[name] = min(request.top_k, _MOST_TOP_K)
    parameters |= _metadata(translation, request)
    return parameters


def _max_tokens(translation: Translation, call: Call[MessagesRequest]) -> int:
    wanted, most = call.request.max_tokens, call.max_output_tokens
    if most is None or wanted <= most:
        return wanted
    translation.changed("max_tokens", str(most))
    return most


def _stop(translation: Translation, request: MessagesRequest) -> tuple[JsonObject, bool]:
    """The field, and whether there are sequences that only we look for: nothing is lost with a field that is dropped.

    A server that stops without a word of why leaves open whether the reply had ended (contract C12).
    """
    wanted = request.stop_sequences or []
    sent = wanted[: translation.dialect.max_stop_sequences]
    if not sent or translation.takes.fields.find("stop_sequences").action == "drop":
        return {}, bool(wanted)
    name = translation.field("stop_sequences", "stop")
    assert name is not None
    return {name: sent}, len(sent) < len(wanted)


def _metadata(translation: Translation, request: MessagesRequest) -> JsonObject:
    if not request.metadata:
        return {}
    metadata = dict(request.metadata)
    user_id = metadata.pop("user_id", None)
    fields: JsonObject = {}
    if user_id is not None and (name := translation.field("metadata.user_id", "user")) is not None:
        # An opaque id: its hash tells users apart as well.
        fields[name] = short_id(str(user_id), translation.dialect.user_id_letters)
    for name, value in metadata.items():
        if value is not None:
            translation.changed(f"metadata.{name}")
    return fields


def _betas(translation: Translation, betas: tuple[str, ...]) -> tuple[str, ...]:
    passed: list[str] = []
    for flag in betas:
        path = f"anthropic-beta.{flag}"
        rule = translation.takes.betas.find(flag)
        match rule.action:
            case "pass":
                passed.append(flag)
            case "rewrite":
                passed.append(rule.to)
            case "drop":
                translation.changed(path)
            case "refuse":
                raise translation.refused(path, "does not take this beta")
            case _:
                assert_never(rule.action)
    return tuple(passed)
