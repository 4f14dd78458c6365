"""The turns of a conversation as Converse wants them: alternating, a user's first and last, results in front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from megallm.errors import InvalidRequest
from megallm.messages.blocks import TextBlock
from megallm.messages.native.capabilities import GO_ON
from megallm.messages.requests import Message
from megallm.providers.bedrock.converse.blocks import BlockTranslation, Wire, results_first
from megallm.providers.bedrock.converse.names import Names
from megallm.providers.bedrock.converse.rulings import Rulings


@dataclass(frozen=True, slots=True)
class Told:
    """The turns, what the conversation adds to the system prompt, and the white space cut off a prefill's end.

    ``binary_letters`` is how many of the turns' letters are images and files in base64.
    """

    turns: list[Wire]
    system: list[Wire]
    space: str = ""
    binary_letters: int = 0


def conversation(
    messages: Sequence[Message], rulings: Rulings, names: Names, replays: Callable[[str, str], bool]
) -> Told:
    """All messages, consecutive ones of one role merged. Raises InvalidRequest with the block's path."""
    blocks = BlockTranslation(rulings, names, replays)
    system: list[Wire] = []
    turns: list[tuple[str, list[Wire]]] = []
    for index, message in enumerate(messages):
        wire = _blocks(message, index, blocks)
        role: str = message.role
        if role == "system":
            if not turns and all("text" in block for block in wire):  # in front of everything it is the system prompt
                system += wire
                continue
            if not rulings.feature("system_turns") and wire:
                rulings.adapted(f"messages.{index}", "user turn")
                role, wire = "user", _marked(wire)
        if not wire:
            continue
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(wire)
    if not turns:
        raise InvalidRequest("messages: there is nothing to answer", param="messages")
    if turns[0][0] != "user":
        raise rulings.refused("messages.0.role", "takes no conversation that the assistant begins")
    space = _end(turns, len(messages) - 1, rulings)
    return Told([_turn(role, wire) for role, wire in turns], system, space, blocks.binary_letters)


def _blocks(message: Message, index: int, blocks: BlockTranslation) -> list[Wire]:
    if isinstance(message.content, str):
        return blocks.block(TextBlock(text=message.content), f"messages.{index}.content")
    return [
        wire
        for at, block in enumerate(message.content)
        for wire in blocks.block(block, f"messages.{index}.content.{at}")
    ]


def _end(turns: list[tuple[str, list[Wire]]], last: int, rulings: Rulings) -> str:
    """Sees to a trailing assistant turn; what is cut off its end is returned (C05, C46)."""
    role, wire = turns[-1]
    if role != "assistant":
        return ""
    if not rulings.feature("prefill"):
        rulings.adapted(f"messages.{last}", "continued by instruction")
        turns.append(("user", [{"text": GO_ON}]))
        return ""
    text = wire[-1].get("text")
    if not isinstance(text, str):
        return ""
    wire[-1] = {"text": text.rstrip()}
    return text[len(text.rstrip()) :]


def _turn(role: str, wire: list[Wire]) -> Wire:
    content = results_first(wire) if role == "user" else wire
    if any("document" in block for block in content) and not any("text" in block for block in content):
        # Converse wants words beside a document. Source: Message in its API reference
        content = [{"text": "See the document."}, *content]
    return {"role": role, "content": content}


def _marked(wire: list[Wire]) -> list[Wire]:
    """A system turn in a user's mouth; what is no text stands behind its words."""
    texts = "\n".join(str(block["text"]) for block in wire if "text" in block)
    return [{"text": f"<system>\n{texts}\n</system>"}, *(block for block in wire if "text" not in block)]
