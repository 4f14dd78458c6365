"""What a model that speaks our own format cannot do, though its upstream can: features of the route's table.

A feature that the table does not name is there, so a table without features changes nothing.

    forced_tools          tool_choice any and tool; else the model may choose
    temperature_or_top_p  of the two it takes one, and refuses both
    thinking_budgets      thinking of the type enabled, with budget_tokens; else it is adaptive
    prefill               a conversation that ends in a turn of the assistant; else it is asked to go on
    prefill_space         white space at the end of such a turn; else it is cut off (C46)
    system_turns          turns of the role system within the conversation (``system_turns`` does that)
"""

from collections.abc import Mapping

from pydantic_core import to_json

from megallm.messages.blocks import RedactedThinkingBlock, TextBlock, ThinkingBlock
from megallm.messages.calls import Adaptation
from megallm.messages.compatibility import Feature
from megallm.messages.native.plan import Path, Plan, dotted, refused
from megallm.messages.native.system_turns import take_system_turns
from megallm.messages.requests import Message, MessagesRequest, TokenCountRequest

# As Anthropic advises for models without prefills.
# Source: https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/claude-prompting-best-practices
GO_ON = "Your last turn was cut off where it ends. Continue right there, and repeat nothing of it."


def take_features(request: TokenCountRequest, features: Mapping[str, Feature], plan: Plan) -> None:
    """Plans what the model's limits ask for; each change of meaning is an adaptation.

    Raises InvalidRequest where nothing would be left of the conversation.
    """
    if features.get("forced_tools") is False and request.tool_choice is not None:
        _unforce(request.tool_choice.type, plan)
    if features.get("temperature_or_top_p") is True and isinstance(request, MessagesRequest):
        both = request.temperature is not None and request.top_p is not None
        if both and not plan.edits.keys() & {"temperature", "top_p"}:
            plan.drop(("top_p",))
    if (
        features.get("thinking_budgets") is False
        and request.thinking is not None
        and request.thinking.type == "enabled"
    ):
        plan.put(("thinking", "type"), '"adaptive"')
        plan.put(("thinking", "budget_tokens"), None)
        plan.adaptations.append(Adaptation("thinking", "adaptive"))
    if features.get("system_turns") is False:
        take_system_turns(request, plan)
    at = len(request.messages) - 1
    while at > 0 and plan.removes(("messages", at)):
        at -= 1
    last = request.messages[at]
    if last.role == "assistant" and _is_prefill(last):
        _take_prefill(last, at, features, plan)
    turns = plan.edits.get("messages")
    if isinstance(turns, dict) and len(turns) == len(request.messages) and not any(map(_stays, turns.values())):
        raise refused(("messages",), "a conversation without anything to answer")


def _stays(turn: object) -> bool:
    return turn is not None


def _unforce(kind: str, plan: Plan) -> None:
    if kind in ("any", "tool"):
        plan.put(("tool_choice", "type"), '"auto"')
        plan.put(("tool_choice", "name"), None)
        plan.adaptations.append(Adaptation("tool_choice", "auto"))


def _is_prefill(message: Message) -> bool:
    """A turn that ends in text; one with server tools in it is a paused turn, which goes back as it came."""
    if isinstance(message.content, str):
        return True
    plain = all(isinstance(block, TextBlock | ThinkingBlock | RedactedThinkingBlock) for block in message.content)
    return plain and bool(message.content) and isinstance(message.content[-1], TextBlock)


def _take_prefill(message: Message, index: int, features: Mapping[str, Feature], plan: Plan) -> None:
    path = ("messages", index)
    if features.get("prefill") is False:
        plan.put(("messages", index + 1), to_json({"role": "user", "content": GO_ON}).decode())
        plan.adaptations.append(Adaptation(dotted(path), "continued by instruction"))
    elif features.get("prefill_space") is False:
        _trim(message, index, plan)


def _trim(message: Message, index: int, plan: Plan) -> None:
    turn: Path = ("messages", index)
    text, whole, inner = message.content, turn, (*turn, "content")
    if not isinstance(text, str):
        last = len(text) - 1
        block = text[last]
        assert isinstance(block, TextBlock)  # else it were no prefill
        whole = (*inner, last) if last else turn
        text, inner = block.text, (*inner, last, "text")
    trimmed = text.rstrip()
    if trimmed != text:
        plan.put(*((inner, to_json(trimmed).decode()) if trimmed else (whole, None)))
        plan.adaptations.append(Adaptation(dotted((*turn, "content")), "trimmed"))
