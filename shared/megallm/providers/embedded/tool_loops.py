"""Tells a small model when to answer, where it would call the same tool for ever. Pure."""

from collections.abc import Sequence

from megallm.messages.blocks import ToolResultBlock, ToolUseBlock
from megallm.messages.conversation import Turn, turns
from megallm.messages.requests import Message
from megallm.providers.embedded.tools import compact

# Told after every result, it would end chains that need another call; figures in docs/decisions.md.
ANSWER_NOW = "Answer my question with this result."


def repeats_itself(messages: Sequence[Message]) -> bool:
    """Whether the results at the end are of a call that had its result already, for the same question.

    Until then a chain of calls may go on, of one tool with other inputs too.
    """
    steps: list[list[tuple[str, str]]] = []  # of this question, the last one first
    conversation = turns(messages)
    while conversation and _is_results(conversation[-1]):
        conversation.pop()
        if conversation and conversation[-1].role == "assistant":
            steps.append(_calls(conversation.pop()))
    if not steps:
        return False
    earlier = [call for step in steps[1:] for call in step]
    return any(call in earlier for call in steps[0])


def _is_results(turn: Turn) -> bool:
    return turn.role == "user" and bool(turn.blocks) and all(isinstance(b, ToolResultBlock) for b in turn.blocks)


def _calls(turn: Turn) -> list[tuple[str, str]]:
    return [(block.name, compact(block.input)) for block in turn.blocks if isinstance(block, ToolUseBlock)]
