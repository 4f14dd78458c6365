"""Content blocks as parts of a chat message: text, images, files (contract C18)."""

from collections.abc import Sequence
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
from megallm.providers.openai.wire_translation import Translation

Part = dict[str, object]

_WEB = ("https://", "http://")
FETCH_SETTING = "MEGALLM_FETCH_IMAGE_URLS"


def text_part(text: str) -> Part:
    """A part of text."""
    return {"type": "text", "text": text}


def content_of(parts: Sequence[Part]) -> str | list[Part]:
    """One string where all is text, which every server and chat template takes; else the parts."""
    texts: list[str] = []
    for part in parts:
        if not isinstance(text := part.get("text"), str):
            return list(parts)
        texts.append(text)
    return "\n".join(texts)


def parts_of(translation: Translation, block: Block, path: str) -> list[Part]:
    """A block that any turn may hold. Raises InvalidRequest, naming the block, for every other one."""
    if type(block) is TextBlock and not block.model_extra:  # nearly all of them; a match costs ten times as much
        return [text_part(block.text)]
    match block:
        case TextBlock():
            translation.lost(block.model_extra, path)
            return [text_part(block.text)]
        case ImageBlock():
            translation.lost(block.model_extra, path)
            return _image(translation, block, path)
        case DocumentBlock():
            translation.lost(block.model_extra, path)
            return _document(translation, block, path)
        case SearchResultBlock():
            translation.lost(block.model_extra, path)
            return _search_result(translation, block, path)
        case OpaqueBlock():
            return opaque(translation, block, path)
        case ThinkingBlock() | RedactedThinkingBlock() | ToolUseBlock() | ToolResultBlock():
            raise translation.refused(path, f"takes no {block.type} block here")
        case _:
            assert_never(block)


def opaque(translation: Translation, block: OpaqueBlock, path: str) -> list[Part]:
    """Nothing, where the table drops such blocks. Else raises InvalidRequest: no chat message can hold them."""
    if translation.takes.blocks.find(block.type).action != "drop":
        raise translation.refused(path, f"takes no blocks of type {block.type!r}")
    translation.changed(path)
    return []


def _image(translation: Translation, block: ImageBlock, path: str) -> list[Part]:
    source = block.source
    rule = translation.block(f"image.{source.type}", path)
    if rule is None:
        return []
    translation.lost(source.model_extra, f"{path}.source")
    match source:
        case Base64Source():
            return [_shown(translation, f"data:{source.media_type};base64,{source.data}")]
        case UrlSource():
            if not source.url.startswith(_WEB):
                raise translation.refused(path, "takes image URLs that begin with https:// or http:// only")
            if rule.action == "pass" or translation.images is None:
                return [_shown(translation, source.url)]
            if source.url not in translation.images:
                raise translation.refused(
                    path, f"takes images as bytes, not by URL; with {FETCH_SETTING} set, the gateway fetches them"
                )
            return [_shown(translation, translation.images[source.url])]
        case FileSource():
            raise translation.refused(path, "has no files that were stored before")
        case _:
            assert_never(source)


def _shown(translation: Translation, url: str) -> Part:
    translation.media.count += 1
    translation.media.letters += len(url)
    return {"type": "image_url", "image_url": {"url": url}}


def _document(translation: Translation, block: DocumentBlock, path: str) -> list[Part]:
    source = block.source
    if translation.block(f"document.{source.type}", path) is None:
        return []
    translation.lost(source.model_extra, f"{path}.source")
    head = "".join(f"{line}\n" for line in (block.title, block.context) if line)
    match source:
        case PlainTextSource():
            if source.media_type != "text/plain":
                translation.changed(f"{path}.source.media_type")
            return [text_part(f"<document>\n{head}{source.data}\n</document>")]
        case ContentSource():
            return _document_of_blocks(translation, source, head, path)
        case Base64Source():
            about = [text_part(block.context)] if block.context else []
            return [*about, _file(translation, source, block.title or "document.pdf")]
        case UrlSource() | FileSource():
            raise translation.refused(path, f"takes no documents by {source.type}")
        case _:
            assert_never(source)


def _document_of_blocks(translation: Translation, source: ContentSource, head: str, path: str) -> list[Part]:
    inner = [TextBlock(text=source.content)] if isinstance(source.content, str) else source.content
    parts = [text_part(f"<document>\n{head}".rstrip("\n"))]
    for position, block in enumerate(inner):
        parts += parts_of(translation, block, f"{path}.source.content.{position}")
    parts.append(text_part("</document>"))
    whole = content_of(parts)
    return [text_part(whole)] if isinstance(whole, str) else whole


def _file(translation: Translation, source: Base64Source, name: str) -> Part:
    url = f"data:{source.media_type};base64,{source.data}"
    translation.media.count += 1
    translation.media.letters += len(url)
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def _search_result(translation: Translation, block: SearchResultBlock, path: str) -> list[Part]:
    if translation.block("search_result", path) is None:
        return []
    for position, part in enumerate(block.content):
        translation.lost(part.model_extra, f"{path}.content.{position}")
    text = "\n".join(part.text for part in block.content)
    return [text_part(f"[search result: {block.title} ({block.source})]\n{text}")]
