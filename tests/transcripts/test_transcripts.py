"""Every transcript says where it is from."""

import pytest

from tests.transcripts import Transcript, parse

BODY = b"# data\n---\n\r\n"


def test_the_bytes_behind_the_header_are_the_body() -> None:
    """Whatever they look like, the header's own marks included."""
    content = b"# captured\n# llama.cpp,\n# on this machine\n---\n" + BODY

    assert parse(content, "x") == Transcript("captured", "llama.cpp, on this machine", BODY)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        BODY,
        b"data: {}\n\n",
        b"# captured\n# by us\ndata: {}\n\n",
        b"# captured\nby us\n---\n" + BODY,
        b"# captured\n---\n" + BODY,
        b"# captured\n# \n---\n" + BODY,
        b"# real\n# by us\n---\n" + BODY,
    ],
)
def test_a_transcript_of_unknown_origin_is_refused(content: bytes) -> None:
    """A reconstruction must never pass for the real thing."""
    with pytest.raises(ValueError, match="x: the header"):
        parse(content, "x")
