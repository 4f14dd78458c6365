"""The catalogue: what ships, what is refused, how it is paged."""

from typing import get_args

import pytest
from anthropic.types import ModelCapabilities, ModelInfo, model_param

from megallm.catalog.file_format import load, parse
from megallm.catalog.model_info import page, to_wire
from megallm.errors import InvalidRequest, NotFound
from tests.fakes import catalog

ROUTE = 'routes = [{ provider = "embedded", model = "m" }]\n'
DOCUMENTED = [
    "claude-opus-4-1-20250805",
    "claude-3.5-sonnet",
    "claude-3.7-sonnet",
    "claude-sonnet-4",
    "claude-3-opus-20240229",
    "claude-3-sonnet-20240229",
    "claude-3-haiku-20240307",
    "claude-3-opus",
    "claude-3-sonnet",
    "claude-3-haiku",
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_model_resolves_locally(name: str) -> None:
    """Section 1 of the contract."""
    assert load("local").find(name).routes[0].provider == "embedded"


def test_every_model_of_the_sdks_type_resolves_locally() -> None:
    """Today's ids in the SDK's `Model`."""
    literal, _ = get_args(model_param.ModelParam)

    catalogue = load("local")

    assert {route.provider for name in get_args(literal) for route in catalogue.find(name).routes} == {"embedded"}


def test_the_embedded_context_fills_what_the_file_leaves_open() -> None:
    """/v1/models shows the window of the model that answers."""
    filled = load("local").with_context("embedded", 8192)

    assert {(model.context_tokens, model.max_output_tokens) for model in filled.models} == {(8192, 8192)}


def test_an_unknown_model_is_not_found() -> None:
    """The message is Anthropic's."""
    with pytest.raises(NotFound) as caught:
        catalog().find("gpt-9")

    assert (caught.value.message, caught.value.param) == ("model: gpt-9", "model")


def test_an_entry_overrides_the_defaults() -> None:
    """Field by field."""
    text = "[defaults]\ncontext_tokens = 5\n" + ROUTE + '[[models]]\nid = "a"\ndisplay_name = "A"\ncontext_tokens = 7\n'

    assert parse(text, source="t").find("a").context_tokens == 7


ONE = {
    "type": "model",
    "id": "claude-test-1",
    "display_name": "Test 1",
    "created_at": "1970-01-01T00:00:00Z",
    "lifecycle": "deprecated",
    "max_input_tokens": 200000,
    "max_tokens": 64000,
}
TWO = ONE | {
    "id": "claude-test-2",
    "display_name": "Test 2",
    "created_at": "2026-05-01T00:00:00Z",
    "lifecycle": "active",
}


def test_an_alias_shows_its_model() -> None:
    """With the canonical id."""
    assert to_wire(catalog().find("claude-test")) == TWO


def test_capabilities_have_all_keys_of_the_sdks_type() -> None:
    """Those that the catalogue does not name are false; without any the member is absent, as the SDK allows."""
    text = '[[models]]\nid = "a"\ndisplay_name = "A"\ncapabilities = ["image_input", "thinking", "effort"]\n' + ROUTE

    info = ModelInfo.model_validate(to_wire(parse(text, source="t").find("a")))

    assert info.capabilities is not None
    assert set(info.capabilities.model_fields_set) == set(ModelCapabilities.model_fields)
    assert info.capabilities.image_input.supported
    assert info.capabilities.thinking.types.enabled.supported
    assert info.capabilities.effort.high.supported
    assert info.capabilities.effort.max.supported is False
    assert info.capabilities.pdf_input.supported is False


@pytest.mark.parametrize(
    ("query", "expected", "more"),
    [
        ({}, [TWO, ONE], False),
        ({"limit": "1"}, [TWO], True),
        ({"limit": "1", "after_id": "claude-test-2"}, [ONE], False),
        ({"limit": "1", "before_id": "claude-test-1"}, [TWO], False),
        ({"before_id": "claude-test-2"}, [], False),
        ({"lifecycles": ["deprecated"]}, [ONE], False),
    ],
)
def test_pages_follow_the_cursors(query: dict[str, str], expected: list[object], more: bool) -> None:
    """C41."""
    ids = [model["id"] for model in expected if isinstance(model, dict)]

    assert page(catalog(), **query) == {
        "data": expected,
        "has_more": more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "000000001" + "0" * 5000}, "limit"),
        ({"limit": "0000000019999"}, "limit"),
        ({"lifecycles": ["new"]}, "lifecycle"),
        ({"limit": "²"}, "limit"),
        ({"after_id": "nobody"}, "after_id"),
        ({"after_id": "claude-test-1", "before_id": "claude-test-2"}, "before_id"),
    ],
)
def test_a_wrong_cursor_is_named(query: dict[str, str], param: str) -> None:
    """A 400, not an empty page."""
    with pytest.raises(InvalidRequest) as caught:
        page(catalog(), **query)

    assert caught.value.param == param


def test_retired_models_are_shown_on_request_only() -> None:
    """As the SDK's `lifecycle` parameter says."""
    retired = parse('[[models]]\nid = "old"\ndisplay_name = "Old"\nlifecycle = "retired"\n' + ROUTE, source="t")

    shown = [page(retired, lifecycles=wish)["first_id"] for wish in ([], ["retired"])]

    assert shown == [None, "old"]
