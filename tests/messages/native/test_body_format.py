"""The format of a reply under its older name: rewritten, passed, or dropped beside the newer one (C45)."""

import pytest

from megallm.catalog.compatibility import shipped
from megallm.messages.native.body import NativeBody

from .bodies import body_of, changes, request, table

FORMAT = b'{"type":"json_schema","schema":{"minimum":1.0}}'


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b"", b',"output_config":{"format":%b}' % FORMAT),
        (b',"output_config":null', b',"output_config":{"format":%b}' % FORMAT),
        (b',"output_config":{"effort":"low"}', b',"output_config":{"effort":"low","format":%b}' % FORMAT),
    ],
)
def test_the_older_name_of_a_format_is_rewritten(config: bytes, expected: bytes) -> None:
    """No adaptation: it means the same (C45)."""
    body = request()[:-1] + b',"output_format": %b%b}' % (FORMAT, config)

    got = body_of(body, takes=shipped("anthropic"))

    assert (got.body, got.adaptations) == (request()[:-1] + expected + b"}", ())


def test_the_older_name_passes_with_its_beta_or_where_the_table_says_so() -> None:
    """As it came."""
    body = request()[:-1] + b',"output_format": %b}' % FORMAT
    beta = "structured-outputs-2025-11-13"

    assert body_of(body, takes=shipped("anthropic"), betas=(beta,)) == NativeBody(body, (beta,), ())
    assert body_of(body, takes=table(fields={"speed": "drop"})) == NativeBody(body, (), ())


def test_a_format_under_both_names_is_the_newer_one() -> None:
    """The other is dropped, and that is told."""
    config = b',"output_config":{"format":%b}' % FORMAT
    body = request()[:-1] + b',"output_format": {"type":"x"}%b}' % config

    got = body_of(body, takes=shipped("anthropic"))

    assert (got.body, changes(got)) == (request()[:-1] + config + b"}", [("output_format", "dropped")])


def test_a_field_that_stands_elsewhere_in_the_body_is_not_moved() -> None:
    """The request has the format under its newer name, the body under the older one, which passes."""
    body = request()[:-1] + b',"output_format": %b}' % FORMAT

    assert body_of(body, takes=table(fields={"output_config.format": "-> format"})) == NativeBody(body, (), ())


def test_the_word_output_format_elsewhere_is_nothing() -> None:
    """In a schema, for instance."""
    body = request(metadata={"output_format": "x"})

    assert body_of(body, takes=shipped("anthropic")) == NativeBody(body, (), ())
