"""The files in JSON of unknown shape."""

from collections.abc import Mapping

import pytest

from megallm.messages.base64_files import base64_files


def file(data: object, **more: object) -> Mapping[str, object]:
    return {"type": "base64", "data": data, **more}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({}, []),
        ("base64", []),
        (file("AAAA", media_type="image/png"), [("image/png", "AAAA")]),
        (file("AAAA"), [("", "AAAA")]),
        (file("AAAA", media_type=7), [("", "AAAA")]),
        (file(7, media_type="image/png"), []),
        ({"type": "text", "data": "AAAA"}, []),
        ({"a": [{"b": file("AA", media_type="x")}, 7, [None, file("BB")]]}, [("", "BB"), ("x", "AA")]),
    ],
)
def test_each_file_is_found_wherever_it_lies(value: object, found: list[tuple[str, str]]) -> None:
    """By what the API says a file in base64 is; its media type may be missing."""
    assert sorted(base64_files(value)) == found


def test_the_search_ends() -> None:
    """A request of a million brackets costs no more than its reading did."""
    deep: object = file("AAAA")
    for _ in range(100_000):
        deep = [deep]

    assert list(base64_files(deep)) == []
