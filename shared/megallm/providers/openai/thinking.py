"""How much the model is to think, as each server wants to be told (contract C15)."""

from typing import assert_never

from megallm.messages.requests import OutputConfig, ThinkingConfig, TokenCountRequest
from megallm.providers.openai.dialect import EFFORTS, Dialect
from megallm.providers.openai.wire_translation import Translation

JsonObject = dict[str, object]


_TYPES = frozenset({"enabled", "disabled", "adaptive"})


def thinking_to_wire(
    translation: Translation, request: TokenCountRequest, *, forced_tool: bool, prefilled: bool
) -> JsonObject:
    """The body's fields about thinking and effort. Raises InvalidRequest.

    A forced tool or a prefill switches thinking off where the server takes only one of the two. Anthropic has no
    thinking there either: https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    """
    dialect = translation.dialect
    config = _taken(translation, request.thinking)
    wanted = _wanted(config)
    muted = (forced_tool and not dialect.forced_tools_think) or (
        prefilled and dialect.prefill == "trailing" and dialect.thinking_switch == "chat_template_kwargs"
    )
    if muted:
        if wanted:
            translation.changed("thinking")
        config, wanted = None, False
    if config is None and wanted is None and request.output_config is None:
        return {}  # nothing was said, as in most requests
    body = _switch(translation, wanted, asked=config is not None)
    if wanted is not False:
        body |= _budget(translation, config, request.output_config)
    body |= _effort(translation, request.output_config, thinks=wanted is not False)
    return body


def _taken(translation: Translation, config: ThinkingConfig | None) -> ThinkingConfig | None:
    if config is None or translation.field("thinking", "thinking") is None:
        return None
    if config.type not in _TYPES:
        translation.changed("thinking")
        return None
    for name, value in (config.model_extra or {}).items():
        # How thinking is shown is nothing that these servers can be told.
        if value is not None:
            translation.changed(f"thinking.{name}")
    return config


def _wanted(config: ThinkingConfig | None) -> bool | None:
    """None leaves it to the model: nothing was said, or it is to adapt."""
    match config.type if config is not None else None:
        case "enabled":
            return True
        case "disabled":
            return False
        case _:
            return None


def _switch(translation: Translation, wanted: bool | None, *, asked: bool) -> JsonObject:
    dialect = translation.dialect
    match dialect.thinking_switch:
        case "":
            if asked and wanted is not False:
                translation.changed("thinking")
            return {}
        case "chat_template_kwargs":
            return {} if wanted is None else {"chat_template_kwargs": {dialect.thinking_kwarg: wanted}}
        case "thinking":
            return {} if wanted is None else {"thinking": {"type": "enabled" if wanted else "disabled"}}
        case "reasoning_effort":
            return _least_effort(translation) if wanted is False and asked else {}
        case switch:
            assert_never(switch)


def _least_effort(translation: Translation) -> JsonObject:
    dialect = translation.dialect
    if not dialect.efforts:
        translation.changed("thinking")
        return {}
    least = dialect.nearest_effort("none")
    if least != "none":
        translation.changed("thinking", f"reasoning_effort {least}")
    return {"reasoning_effort": least}


def _budget(translation: Translation, config: ThinkingConfig | None, output: OutputConfig | None) -> JsonObject:
    if config is None or config.budget_tokens is None or translation.dialect.thinking_switch == "":
        return {}
    rule = translation.takes.fields.find("thinking.budget_tokens")
    if rule.action == "rewrite":
        return {rule.to: config.budget_tokens}
    if not translation.dialect.efforts or (output is not None and output.effort is not None):
        translation.changed("thinking.budget_tokens")
        return {}
    effort = translation.dialect.nearest_effort(translation.dialect.effort_of(config.budget_tokens))
    translation.changed("thinking.budget_tokens", f"reasoning_effort {effort}")
    return {"reasoning_effort": effort}


def _effort(translation: Translation, output: OutputConfig | None, *, thinks: bool) -> JsonObject:
    path = "output_config.effort"
    if output is None or output.effort is None or translation.field(path, path) is None:
        return {}
    effort = output.effort
    if not thinks or not translation.dialect.efforts or effort not in EFFORTS:
        translation.changed(path)
        return {}
    nearest = translation.dialect.nearest_effort(effort)
    if nearest != effort:
        translation.changed(path, nearest)
    return {"reasoning_effort": nearest}


def thinking_to_replay(dialect: Dialect, thinking: list[str], *, calls_tools: bool) -> JsonObject:
    """The field of an assistant message that gives the server its own thinking back."""
    if not dialect.thinking_replay:
        return {}
    if thinking or (calls_tools and dialect.thinking_replay_always):
        return {dialect.thinking_replay: "\n".join(thinking)}
    return {}
