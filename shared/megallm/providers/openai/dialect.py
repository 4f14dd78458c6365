"""What one chat-completions server does differently: the features of its compatibility table, checked.

Facts about servers stand in ``catalog/takes/*.toml``; here stands what the facts mean.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from megallm.messages.compatibility import Feature

# From the least to the most, as OpenAI and Anthropic name them.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def _known_efforts(text: str) -> str:
    if not set(text.split() or [text] * bool(text)) <= set(EFFORTS):
        raise ValueError(f"known are {' '.join(EFFORTS)}")
    return text


def _budget_steps(text: str) -> str:
    steps = [step.partition(":") for step in text.split()]
    known = bool(steps) and {effort for effort, _, _ in steps} <= set(EFFORTS)
    if not known or steps[-1][1] or not all(most.isdecimal() for _, _, most in steps[:-1]):
        raise ValueError('it must read like "low:4096 medium:16384 high"')
    return text


Number = Annotated[int, Field(ge=0)]


class Dialect(BaseModel):
    """The features that this provider reads, with what is true of a server of which nothing is known.

    ``system_role`` is the role of the system prompt, ``system_turns`` where it may stand.
    ``images_in_tool_results``: tool messages may hold images; else they follow in a user message.
    ``prefill``: how the server goes on from a trailing assistant turn: by itself (``trailing``; unstreamed
    replies repeat the turn), by vLLM's ``continue_final_message``, by DeepSeek's ``prefix``, or not at all.
    ``thinking_switch``: what switches thinking on and off: the keyword ``thinking_kwarg`` of the chat template,
    DeepSeek's ``thinking``, the effort ``none``, or nothing.
    ``efforts`` are the values that ``reasoning_effort`` takes, and ``budget_efforts`` what a budget of thinking
    tokens means: ``low:4096 medium:16384 high`` is low up to 4,096 tokens, medium up to 16,384, high above.
    ``thinking_replay`` is the field in which the server wants its own thinking back; with
    ``thinking_replay_always`` it refuses tool calls of earlier turns that come without.
    ``forced_tools_think``: a forced tool and thinking go together.
    ``structured_outputs``: what the server can be told: a schema, any JSON, nothing. ``enforces_schemas``: it lets
    nothing else through, with ``strict_schemas`` only if the schema is of OpenAI's strict kind.
    ``max_stop_sequences``: as many are sent to a server that tells which of them hit. Most do not: 0, none is sent, we
    look for all of them ourselves and end the call.
    ``tool_id_letters``, ``user_id_letters``: longer ids are hashed; 0 is no limit.
    ``stream_usage``: the server takes ``stream_options.include_usage``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    system_role: Literal["system", "developer"] = "system"
    system_turns: Literal["anywhere", "leading"] = "anywhere"
    images_in_tool_results: bool = False
    prefill: Literal["", "trailing", "continue_final_message", "prefix"] = ""
    thinking_switch: Literal["", "chat_template_kwargs", "thinking", "reasoning_effort"] = ""
    thinking_kwarg: str = "enable_thinking"
    efforts: Annotated[str, AfterValidator(_known_efforts)] = ""
    budget_efforts: Annotated[str, AfterValidator(_budget_steps)] = "low:4096 medium:16384 high"
    thinking_replay: Literal["", "reasoning_content", "reasoning"] = ""
    thinking_replay_always: bool = False
    forced_tools_think: bool = True
    structured_outputs: Literal["json_schema", "json_object", "instruct"] = "instruct"
    enforces_schemas: bool = True
    strict_schemas: bool = False
    max_stop_sequences: Number = 0
    tool_id_letters: Number = 0
    user_id_letters: Number = 0
    stream_usage: bool = True

    def effort_of(self, budget_tokens: int) -> str:
        """The effort that a budget of thinking tokens stands for."""
        effort = ""
        for step in self.budget_efforts.split():
            effort, _, most = step.partition(":")
            if most and budget_tokens <= int(most):
                break
        return effort

    def nearest_effort(self, effort: str) -> str:
        """The effort that the server takes for this one: the same, else the next higher, else its highest."""
        taken = sorted(self.efforts.split(), key=EFFORTS.index)
        return next((known for known in taken if EFFORTS.index(known) >= EFFORTS.index(effort)), taken[-1])


def dialect_of(features: Mapping[str, Feature]) -> Dialect:
    """The dialect that a table describes. Raises ValueError, naming the feature, for what this provider cannot read."""
    try:
        return Dialect.model_validate(features)
    except ValidationError as error:
        feature, reason = _first_fault(error)
        raise ValueError(f"features.{feature}: {reason}") from None


def fault_in(features: Mapping[str, Feature]) -> tuple[str, str] | None:
    """The first feature that this provider cannot read, and why; None where it can read them all."""
    try:
        Dialect.model_validate(features)
    except ValidationError as error:
        return _first_fault(error)
    return None


def _first_fault(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    return str(first["loc"][0]), first["msg"]
