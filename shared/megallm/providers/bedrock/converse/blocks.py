"""Translates content blocks to Converse's, one by one.

Source of the shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

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
from megallm.providers.bedrock.converse.names import Names, call_id
from megallm.providers.bedrock.converse.rulings import Rulings

Wire = dict[str, object]

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {"application/pdf": "pdf", "text/plain": "txt"}
# What a document's name may hold; two spaces in a row are not allowed either.
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")
_NAME_LETTERS = 150


class BlockTranslation:
    """The blocks of one request.

    ``replays`` tells of thinking whether this very route produced it, by our signature and its text;
    ``binary_letters`` counts the letters of images and files.
    """

    def __init__(self, rulings: Rulings, names: Names, replays: Callable[[str, str], bool]) -> None:
        self._rulings = rulings
        self._names = names
        self._replays = replays
        self._documents = 0
        self.binary_letters = 0

    def block(self, block: Block, path: str) -> list[Wire]:
        """What becomes of one block of a turn; nothing, where it is left out. Raises InvalidRequest."""
        match block:
            case TextBlock():
                return _text(block.text)
            case ImageBlock():
                return self._image(block, path)
            case DocumentBlock():
                return self._document(block, path)
            case SearchResultBlock():
                return self._search_result(block, path)
            case ThinkingBlock():
                return self._thinking(block, path)
            case RedactedThinkingBlock():
                if self._rulings.feature("native_signatures"):
                    return [{"reasoningContent": {"redactedContent": block.data}}]
                self._rulings.adapted(path, "dropped")
                return []
            case ToolUseBlock():
                call = {
                    "toolUseId": call_id(block.id),
                    "name": self._names.tool(block.name),
                    "input": block.input,
                }
                return [{"toolUse": call}]
            case ToolResultBlock():
                return self._result(block, path)
            case OpaqueBlock():
                rule = self._rulings.block(block.type, path)
                if rule.action == "drop":
                    return []
                raise self._rulings.refused(path, f"takes no blocks of type {block.type!r}")
            case unknown:
                assert_never(unknown)

    def _image(self, block: ImageBlock, path: str) -> list[Wire]:
        source = block.source
        if self._rulings.block("image", path, source.type).action == "drop":
            return []
        match source:
            case Base64Source():
                kind = _IMAGES.get(source.media_type)
                if kind is None:
                    raise self._rulings.refused(f"{path}.source.media_type", f"takes no {source.media_type!r}")
                self.binary_letters += len(source.data)
                return [{"image": {"format": kind, "source": {"bytes": source.data}}}]
            case UrlSource() | FileSource():
                raise self._rulings.refused(f"{path}.source", f"takes no images by {source.type}, only their bytes")
            case unknown:
                assert_never(unknown)

    def _document(self, block: DocumentBlock, path: str) -> list[Wire]:
        source = block.source
        rule = self._rulings.block("document", path, source.type)
        if rule.action == "drop":
            return []
        if (block.model_extra or {}).get("citations") not in (None, {"enabled": False}):
            self._rulings.adapted(f"{path}.citations", "dropped")
        match source:
            case PlainTextSource():
                if rule.action == "rewrite":
                    return _text(_inline(block, source.data))
                return self._file(block, "txt", b64encode(source.data.encode()).decode(), path)
            case ContentSource():
                return self._parts(block, source, path)
            case Base64Source():
                kind = _DOCUMENTS.get(source.media_type)
                if kind is None:
                    raise self._rulings.refused(f"{path}.source.media_type", f"takes no {source.media_type!r}")
                return self._file(block, kind, source.data, path)
            case UrlSource() | FileSource():
                raise self._rulings.refused(f"{path}.source", f"takes no documents by {source.type}")
            case unknown:
                assert_never(unknown)

    def _parts(self, block: DocumentBlock, source: ContentSource, path: str) -> list[Wire]:
        """A document in pieces: its texts in a row, its images behind them."""
        if isinstance(source.content, str):
            return _text(_inline(block, source.content))
        texts = [part.text for part in source.content if isinstance(part, TextBlock)]
        wire = _text(_inline(block, "\n".join(texts)))
        for at, part in enumerate(source.content):
            if isinstance(part, ImageBlock):
                wire += self._image(part, f"{path}.source.content.{at}")
        return wire

    def _file(self, block: DocumentBlock, kind: str, data: str, path: str) -> list[Wire]:
        self._documents += 1
        self.binary_letters += len(data)
        title = block.title or "Document"
        name = " ".join(_NOT_IN_A_NAME.sub(" ", title).split())[:_NAME_LETTERS].strip() or "Document"
        if block.title is not None and name != block.title:
            self._rulings.adapted(f"{path}.title", "cleaned")
        # Bedrock refuses two documents of one name.
        document = {"format": kind, "name": f"{name} ({self._documents})", "source": {"bytes": data}}
        return [*_text(block.context or ""), {"document": document}]

    def _search_result(self, block: SearchResultBlock, path: str) -> list[Wire]:
        rule = self._rulings.block("search_result", path)
        if rule.action == "drop":
            return []
        if (block.model_extra or {}).get("citations") not in (None, {"enabled": False}):
            self._rulings.adapted(f"{path}.citations", "dropped")
        if rule.action == "rewrite":
            texts = "\n".join(part.text for part in block.content)
            return _text(f"[search result: {block.title} ({block.source})]\n{texts}")
        content = [wire for part in block.content for wire in _text(part.text)]
        return [{"searchResult": {"source": block.source, "title": block.title, "content": content}}]

    def _thinking(self, block: ThinkingBlock, path: str) -> list[Wire]:
        if self._rulings.feature("native_signatures"):
            thought: Wire = {"text": block.thinking, "signature": block.signature}
            return [{"reasoningContent": {"reasoningText": thought}}]
        if block.thinking and self._replays(block.signature, block.thinking):
            if self._rulings.block("thinking", path).action == "pass":
                return [{"reasoningContent": {"reasoningText": {"text": block.thinking}}}]
            return []
        self._rulings.adapted(path, "dropped")
        return []

    def _result(self, block: ToolResultBlock, path: str) -> list[Wire]:
        """The result, and behind it the images that the model takes in no result (C17)."""
        inner: list[Wire] = []
        beside: list[Wire] = []
        parts: Sequence[Block] = [TextBlock(text=block.content)] if isinstance(block.content, str) else block.content
        for at, part in enumerate(parts):
            place = path if isinstance(block.content, str) else f"{path}.content.{at}"
            wire = self.block(part, place)
            apart = isinstance(part, ImageBlock) and self._rulings.block("tool_result.image", place).action == "rewrite"
            (beside if apart else inner).extend(wire)
        result: Wire = {"toolUseId": call_id(block.tool_use_id)}
        if block.is_error:
            if self._rulings.block("tool_result.is_error", path).action == "pass":
                result["status"] = "error"
            else:
                inner.insert(0, {"text": "Error:"})
        # Converse refuses blank text, and a result without anything says nothing to a model.
        result["content"] = inner or [{"text": "(see the image below)" if beside else "(no output)"}]
        return [{"toolResult": result}, *beside]


def _text(text: str) -> list[Wire]:
    """A text block; Converse refuses one of white space alone, which says nothing anyway."""
    return [{"text": text}] if text.strip() else []


def _inline(block: DocumentBlock, text: str) -> str:
    head = "".join(f"{line}\n" for line in (block.title, block.context) if line)
    return f"<document>\n{head}{text}\n</document>"


def results_first(blocks: Iterable[Wire]) -> list[Wire]:
    """A user's turn with its tool results in front, in their order."""
    return sorted(blocks, key=lambda block: "toolResult" not in block)
