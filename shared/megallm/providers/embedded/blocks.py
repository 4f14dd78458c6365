"""Translates content blocks to text for a model that sees nothing but text."""

from collections.abc import Iterable, Sequence
from typing import assert_never

from megallm.errors import InvalidRequest
from megallm.messages.blocks import (
    Base64Source,
    Block,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    PlainTextSource,
    RedactedThinkingBlock,
    SearchResultBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from megallm.messages.calls import Adaptation
from megallm.messages.conversation import turns
from megallm.messages.requests import Message
from megallm.providers.embedded.prompt import Piece, PromptTurn
from megallm.providers.embedded.tools import RESULT_CLOSE, RESULT_OPEN, call_pieces

_BREAK = Piece("\n")


def plain(content: str | Sequence[TextBlock] | None) -> tuple[Piece, ...]:
    """The system prompt's text; blocks stand on lines of their own."""
    if content is None:
        return ()
    texts = [content] if isinstance(content, str) else [block.text for block in content]
    return tuple(_joined([(Piece(text),) for text in texts if text]))


class Translation:
    """The translation of one request's blocks. ``adaptations`` collects what was left out."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.adaptations: list[Adaptation] = []

    def conversation(self, messages: Sequence[Message]) -> list[PromptTurn]:
        """The turns, consecutive ones of one role merged. Raises InvalidRequest with the block's path.

        A trailing assistant turn is a prefill: the template leaves it open, and the model goes on.
        """
        merged: list[PromptTurn] = []
        for index, message in enumerate(messages):
            groups = []
            for turn in turns([message]):
                for position, block in enumerate(turn.blocks):
                    path = f"messages.{index}.content"
                    if not isinstance(message.content, str):
                        path += f".{position}"
                    groups.append(self._block(block, path))
            pieces = _joined(groups, with_breaks=message.role != "assistant")
            if merged and merged[-1].role == message.role:
                merged[-1] = PromptTurn(message.role, _merge(merged[-1], pieces))
            else:
                merged.append(PromptTurn(message.role, pieces))
        if merged[-1].role == "assistant" and not any(piece.text for piece in merged[-1].pieces):
            merged.pop()  # an empty prefill; without another turn the template begins an answer by itself
        return merged

    def _block(self, block: Block, path: str) -> tuple[Piece, ...]:
        match block:
            case TextBlock():
                return (Piece(block.text),)
            case ImageBlock():
                raise self._refused("takes no images", path)
            case DocumentBlock():
                return self._document(block, path)
            case SearchResultBlock():
                text = "\n".join(part.text for part in block.content)
                return (Piece(f"[search result: {block.title} ({block.source})]\n{text}"),)
            case ThinkingBlock() | RedactedThinkingBlock():
                self.adaptations.append(Adaptation(path, "dropped"))
                return ()
            case ToolUseBlock():
                return call_pieces(block.name, block.input)
            case ToolResultBlock():
                return self._result(block, path)
            case OpaqueBlock():
                raise self._refused(f"takes no blocks of type {block.type!r}", path)
            case unknown:
                assert_never(unknown)

    def _document(self, block: DocumentBlock, path: str) -> tuple[Piece, ...]:
        source = block.source
        match source:
            case PlainTextSource():
                text = source.data
            case ContentSource():
                parts = [TextBlock(text=source.content)] if isinstance(source.content, str) else source.content
                for position, part in enumerate(parts):
                    if isinstance(part, ImageBlock):
                        raise self._refused("takes no images", f"{path}.source.content.{position}")
                text = "\n".join(part.text for part in parts if isinstance(part, TextBlock))
            case Base64Source() | UrlSource() | FileSource():
                raise self._refused(f"takes no documents by {source.type}, only their text", path)
            case unknown:
                assert_never(unknown)
        if (block.model_extra or {}).get("citations") not in (None, {"enabled": False}):
            self.adaptations.append(Adaptation(f"{path}.citations", "dropped"))
        head = "".join(f"{line}\n" for line in (block.title, block.context) if line)
        return (Piece(f"<document>\n{head}{text}\n</document>"),)

    def _result(self, block: ToolResultBlock, path: str) -> tuple[Piece, ...]:
        content = block.content
        if isinstance(content, str):
            inner: Iterable[Piece] = (Piece(content),)
        else:
            inner = _joined([self._block(part, f"{path}.content.{at}") for at, part in enumerate(content)])
        failed = (Piece("Error: "),) if block.is_error else ()
        opened, closed = Piece(f"{RESULT_OPEN}\n", markup=True), Piece(f"\n{RESULT_CLOSE}", markup=True)
        return (opened, *failed, *inner, closed)

    def _refused(self, why: str, path: str) -> InvalidRequest:
        return InvalidRequest(f"{path}: {self._model} {why}", param=path)


def _joined(groups: Iterable[tuple[Piece, ...]], *, with_breaks: bool = True) -> tuple[Piece, ...]:
    """The blocks' pieces; each on its own lines, but an assistant's texts as they were written: in a row."""
    joined: list[Piece] = []
    for group in groups:
        if joined and group and (with_breaks or group[0].markup or joined[-1].markup):
            joined.append(_BREAK)
        joined += group
    return tuple(joined)


def _merge(turn: PromptTurn, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return _joined([turn.pieces, pieces], with_breaks=turn.role != "assistant")
