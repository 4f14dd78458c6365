"""Content blocks of a request, as the SDKs' ``*BlockParam`` types define them.

Owns validation of the blocks that a translation has to understand. Every other type, today's
server-tool blocks and tomorrow's inventions, is an ``OpaqueBlock`` that keeps all it came with.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, StrictStr, Tag

# Marks the names of union members in validation error locations, so that they are told from fields.
TAG = "="

# A list is given up at its first fault: a body of a million wrong items would otherwise be a million errors.
FAIL_FAST = Field(fail_fast=True)

NonEmptyStr = Annotated[StrictStr, Field(min_length=1)]


class Shape(BaseModel):
    """A part of the wire format: immutable, and open to fields that we do not know yet."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


def by_type(*known: str, default: str | None = None) -> Discriminator:
    """A discriminator on ``type``; a type that is a string but not known goes to *default*."""
    tags = {name: TAG + name for name in known}

    def choose(value: object) -> str | None:
        kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
        return tags.get(kind, default) if isinstance(kind, str) else None

    return Discriminator(
        choose, custom_error_type="type", custom_error_message="Input should be an object with a known 'type'"
    )


def string_or_list(value: object) -> str:
    """Chooses between the two spellings of content, so that an error speaks of one of them only."""
    return "=list" if isinstance(value, list) else "=str"


class Base64Source(Shape):
    """Bytes in the request itself: an image or a PDF."""

    type: Literal["base64"]
    media_type: NonEmptyStr
    data: StrictStr


class UrlSource(Shape):
    """Bytes behind a URL."""

    type: Literal["url"]
    url: NonEmptyStr


class FileSource(Shape):
    """A file that the upstream stored earlier."""

    type: Literal["file"]
    file_id: NonEmptyStr


class PlainTextSource(Shape):
    """A document given as text."""

    type: Literal["text"]
    media_type: StrictStr = "text/plain"
    data: StrictStr


class TextBlock(Shape):
    """Plain text."""

    type: Literal["text"] = "text"
    text: StrictStr


ImageSource = Annotated[
    Annotated[Base64Source, Tag("=base64")] | Annotated[UrlSource, Tag("=url")] | Annotated[FileSource, Tag("=file")],
    by_type("base64", "url", "file"),
]


class ImageBlock(Shape):
    """An image."""

    type: Literal["image"]
    source: ImageSource


class ContentSource(Shape):
    """A document given as content blocks."""

    type: Literal["content"]
    content: Annotated[
        Annotated[StrictStr, Tag("=str")]
        | Annotated[
            list[
                Annotated[
                    Annotated[TextBlock, Tag("=text")] | Annotated[ImageBlock, Tag("=image")],
                    by_type("text", "image"),
                ]
            ],
            FAIL_FAST,
            Tag("=list"),
        ],
        Discriminator(string_or_list),
    ]


class DocumentBlock(Shape):
    """A document: PDF bytes, text, content blocks, or a reference."""

    type: Literal["document"]
    source: Annotated[
        Annotated[Base64Source, Tag("=base64")]
        | Annotated[PlainTextSource, Tag("=text")]
        | Annotated[ContentSource, Tag("=content")]
        | Annotated[UrlSource, Tag("=url")]
        | Annotated[FileSource, Tag("=file")],
        by_type("base64", "text", "content", "url", "file"),
    ]
    title: StrictStr | None = None
    context: StrictStr | None = None


class SearchResultBlock(Shape):
    """A search result that may be cited."""

    type: Literal["search_result"]
    source: StrictStr
    title: StrictStr
    content: Annotated[list[TextBlock], FAIL_FAST]


class ThinkingBlock(Shape):
    """Thinking that an earlier reply contained, with its signature."""

    type: Literal["thinking"]
    thinking: StrictStr
    signature: StrictStr


class RedactedThinkingBlock(Shape):
    """Encrypted thinking that an earlier reply contained."""

    type: Literal["redacted_thinking"]
    data: StrictStr


class ToolUseBlock(Shape):
    """A tool call of the model."""

    type: Literal["tool_use"]
    id: NonEmptyStr
    name: NonEmptyStr
    input: dict[str, Any]  # Any: the caller's tool defines it


class OpaqueBlock(Shape):
    """A block of a type that only a native upstream understands; all fields are kept."""

    type: NonEmptyStr


ToolResultContent = Annotated[
    Annotated[TextBlock, Tag("=text")]
    | Annotated[ImageBlock, Tag("=image")]
    | Annotated[SearchResultBlock, Tag("=search_result")]
    | Annotated[DocumentBlock, Tag("=document")]
    | Annotated[OpaqueBlock, Tag("=opaque")],
    by_type("text", "image", "search_result", "document", default="=opaque"),
]


class ToolResultBlock(Shape):
    """What the caller's tool answered."""

    type: Literal["tool_result"]
    tool_use_id: NonEmptyStr
    content: Annotated[
        Annotated[StrictStr, Tag("=str")] | Annotated[list[ToolResultContent], FAIL_FAST, Tag("=list")],
        Discriminator(string_or_list),
    ] = ""
    is_error: StrictBool | None = None


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
    | OpaqueBlock
)

BlockParam = Annotated[
    Annotated[TextBlock, Tag("=text")]
    | Annotated[ImageBlock, Tag("=image")]
    | Annotated[DocumentBlock, Tag("=document")]
    | Annotated[SearchResultBlock, Tag("=search_result")]
    | Annotated[ThinkingBlock, Tag("=thinking")]
    | Annotated[RedactedThinkingBlock, Tag("=redacted_thinking")]
    | Annotated[ToolUseBlock, Tag("=tool_use")]
    | Annotated[ToolResultBlock, Tag("=tool_result")]
    | Annotated[OpaqueBlock, Tag("=opaque")],
    by_type(
        "text",
        "image",
        "document",
        "search_result",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_result",
        default="=opaque",
    ),
]
