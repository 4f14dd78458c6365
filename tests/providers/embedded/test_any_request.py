"""Any request that the schema accepts: translated for the small text model or refused, never another exception."""

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from megallm.errors import InvalidRequest
from megallm.providers.embedded.wire import to_wire

from .asking import call_of

TEXTS = st.text(max_size=8)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


SOURCES = st.one_of(
    st.just({"type": "base64", "media_type": "image/png", "data": ""}),
    st.just({"type": "url", "url": "x"}),
    st.fixed_dictionaries({"type": st.just("text"), "data": TEXTS}),
    st.fixed_dictionaries({"type": st.just("content"), "content": TEXTS}),
)


BLOCKS: st.SearchStrategy[object] = st.deferred(
    lambda: st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}, optional={"citations": JSON}),
        st.fixed_dictionaries({"type": st.just("image"), "source": SOURCES}),
        st.fixed_dictionaries({"type": st.just("document"), "source": SOURCES}, optional={"citations": JSON}),
        st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXTS, "signature": TEXTS}),
        st.fixed_dictionaries(
            {
                "type": st.just("tool_use"),
                "id": TEXTS,
                "name": TEXTS,
                "input": st.dictionaries(TEXTS, JSON, max_size=2),
            }
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("tool_result"),
                "tool_use_id": TEXTS,
                "content": TEXTS | st.lists(BLOCKS, max_size=2),
            }
        ),
        st.fixed_dictionaries({"type": TEXTS}),
    )
)


TOOLS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "input_schema": st.dictionaries(TEXTS | st.just("properties"), JSON)},
    optional={"type": st.sampled_from(["custom", "bash_20250124"]), "strict": JSON, "cache_control": JSON},
)


REQUESTS = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "max_tokens": st.integers(0, 9),
        "messages": st.lists(
            st.fixed_dictionaries(
                {
                    "role": st.sampled_from(["user", "assistant", "system"]),
                    "content": TEXTS | st.lists(BLOCKS, max_size=3),
                }
            ),
            min_size=1,
            max_size=4,
        ),
    },
    optional={
        "system": TEXTS,
        "tools": st.lists(TOOLS, max_size=3),
        "tool_choice": st.sampled_from(
            [{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": "a"}]
        ),
        "thinking": st.sampled_from([{"type": "disabled"}, {"type": "enabled", "budget_tokens": 1}]),
        "output_config": st.fixed_dictionaries(
            {}, optional={"effort": TEXTS, "format": st.just({"type": "json_schema", "schema": {}})}
        ),
        "stop_sequences": st.lists(st.just("x"), max_size=2),
        "top_k": st.integers(0, 10**30),
        "mcp_servers": JSON,
        "surprise": JSON,
    },
)


@given(REQUESTS)
def test_whatever_the_schema_accepts_is_translated_or_refused(body: dict[str, object]) -> None:
    """Never another exception."""
    messages = body.pop("messages")
    try:
        call = call_of(messages, **body)
    except ValidationError:
        return

    try:
        wire = to_wire(call)
    except InvalidRequest:
        return

    assert wire.prompt.turns
