"""Requests as the schema of ``POST /v1/messages`` accepts them, for the laws of the translations.

Small parts, many combinations: every kind of block, source, tool and choice, in and out of its place.
"""

from hypothesis import strategies as st

TEXTS = st.text(max_size=8)
NAMES = st.text(min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CACHED: dict[str, st.SearchStrategy[object]] = {"cache_control": st.just({"type": "ephemeral"})}
URLS = st.sampled_from(["https://a.invalid/x.png", "file:///etc/passwd", "data:image/png;base64,aGk=", "x"])

_IMAGE_SOURCES = st.one_of(
    st.fixed_dictionaries({"type": st.just("base64"), "media_type": st.just("image/png"), "data": TEXTS}),
    st.fixed_dictionaries({"type": st.just("url"), "url": URLS}),
    st.fixed_dictionaries({"type": st.just("file"), "file_id": NAMES}),
)
_TEXT_BLOCKS = st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}, optional={"citations": JSON, **CACHED})
_IMAGES = st.fixed_dictionaries({"type": st.just("image"), "source": _IMAGE_SOURCES}, optional=CACHED)
_DOCUMENT_SOURCES = st.one_of(
    st.fixed_dictionaries({"type": st.just("base64"), "media_type": st.just("application/pdf"), "data": TEXTS}),
    st.fixed_dictionaries({"type": st.just("url"), "url": URLS}),
    st.fixed_dictionaries({"type": st.just("file"), "file_id": NAMES}),
    st.fixed_dictionaries({"type": st.just("text"), "data": TEXTS}),
    st.fixed_dictionaries(
        {"type": st.just("content"), "content": TEXTS | st.lists(_TEXT_BLOCKS | _IMAGES, max_size=2)}
    ),
)
_DOCUMENTS = st.fixed_dictionaries(
    {"type": st.just("document"), "source": _DOCUMENT_SOURCES},
    optional={"citations": st.fixed_dictionaries({"enabled": st.booleans()}), "title": TEXTS, "context": TEXTS},
)
_SEARCH_RESULTS = st.fixed_dictionaries(
    {
        "type": st.just("search_result"),
        "source": TEXTS,
        "title": TEXTS,
        "content": st.lists(_TEXT_BLOCKS, max_size=2),
    }
)
_OPAQUE = st.fixed_dictionaries(
    {"type": st.sampled_from(["server_tool_use", "container_upload", "web_search_tool_result", "tomorrow"])},
    optional={"id": NAMES, "content": JSON},
)
_RESULTS = st.fixed_dictionaries(
    {
        "type": st.just("tool_result"),
        "tool_use_id": NAMES,
        "content": TEXTS | st.lists(st.one_of(_TEXT_BLOCKS, _IMAGES, _DOCUMENTS, _SEARCH_RESULTS, _OPAQUE), max_size=3),
    },
    optional={"is_error": st.none() | st.booleans(), **CACHED},
)
_CALLS = st.fixed_dictionaries(
    {"type": st.just("tool_use"), "id": NAMES, "name": NAMES, "input": st.dictionaries(TEXTS, JSON, max_size=2)},
    optional={"caller": st.sampled_from([{"type": "direct"}, {"type": "code_execution_20260120"}]), **CACHED},
)
_THINKING = st.one_of(
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXTS, "signature": TEXTS}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXTS}),
)
BLOCKS: st.SearchStrategy[dict[str, object]] = st.one_of(
    _TEXT_BLOCKS, _IMAGES, _DOCUMENTS, _SEARCH_RESULTS, _RESULTS, _CALLS, _THINKING, _OPAQUE
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXTS | st.lists(BLOCKS, max_size=3)}
    ),
    min_size=1,
    max_size=4,
)
SCHEMAS = st.one_of(
    st.just({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
    st.just({"enum": ["a", 1]}),
    st.just({"$ref": "https://a.invalid/schema"}),
    st.dictionaries(
        st.sampled_from(["type", "properties", "items", "anyOf", "required", "$defs", "x"]), JSON, max_size=3
    ),
)
TOOLS = st.one_of(
    st.fixed_dictionaries(
        {"name": NAMES | st.sampled_from(["a", "b"]), "input_schema": SCHEMAS},
        optional={
            "type": st.sampled_from([None, "custom"]),
            "description": TEXTS,
            "strict": st.booleans(),
            "input_examples": st.just([{"a": 1}]),
            **CACHED,
        },
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["bash_20250124", "web_search_20260318"]), "name": NAMES}),
)
CHOICES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["auto", "any"])}, optional={"disable_parallel_tool_use": st.booleans()}
    ),
    st.just({"type": "none"}),
    st.fixed_dictionaries({"type": st.just("tool"), "name": NAMES | st.just("a")}),
)

REQUESTS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"model": st.just("m"), "max_tokens": st.integers(0, 9), "messages": MESSAGES},
    optional={
        "system": TEXTS | st.lists(_TEXT_BLOCKS, max_size=2),
        "tools": st.lists(TOOLS, max_size=3),
        "tool_choice": CHOICES,
        "thinking": st.one_of(
            st.fixed_dictionaries({"type": st.sampled_from(["disabled", "adaptive", "between_tools", "tomorrow"])}),
            st.fixed_dictionaries(
                {"type": st.just("enabled"), "budget_tokens": st.integers(1, 10**6)},
                optional={"display": st.sampled_from(["omitted", "summarized"])},
            ),
        ),
        "output_config": st.fixed_dictionaries(
            {},
            optional={
                "effort": st.sampled_from(["low", "medium", "high", "xhigh", "max", "tomorrow"]),
                "format": st.fixed_dictionaries({"type": st.just("json_schema"), "schema": SCHEMAS}),
                "task_budget": JSON,
            },
        ),
        "stop_sequences": st.lists(NAMES, max_size=6),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 10**30),
        "metadata": st.dictionaries(st.just("user_id") | TEXTS, JSON, max_size=2),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "mcp_servers": st.sampled_from([None, [], [{"type": "url", "url": "https://a.invalid"}]]),
        "surprise": JSON,
    },
)
