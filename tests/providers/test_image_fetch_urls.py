"""Images by URL: which URLs are followed, the caller's and those of redirects."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.providers.image_fetch import SafeImages
from tests.providers.image_calls import PNG, Names, always, fetched, outcome, redirecting
from tests.providers.raw_server import Connection, answer


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://images.example.com/", "its URL does not begin with https://"),
        ("ftp://images.example.com/", "its URL does not begin with https://"),
        ("file:///etc/passwd", "its URL does not begin with https://"),
        ("data:image/png;base64,AAAA", "its URL does not begin with https://"),
        ("//images.example.com/", "its URL does not begin with https://"),
        ("images.example.com", "its URL does not begin with https://"),
        ("https://user@images.example.com/", "its URL has a user name or password"),
        ("https://user:secret@images.example.com/", "its URL has a user name or password"),
        ("https://images.example.com:443@127.0.0.1/", "its URL has a user name or password"),
        ("https://images.example.com:80/", "its URL has a port other than 443"),
        ("https://images.example.com:8443/", "its URL has a port other than 443"),
        ("", "its URL is not valid"),
        ("https://images.example.com/" + "a" * 4100, "its URL is not valid"),
        ("https://images.example.com:99999/", "its URL is not valid"),
        ("https://[::1/", "its URL is not valid"),
        ("https://images.example.com\\@127.0.0.1/", "its URL is not valid"),
        ("https://images.example.com /", "its URL is not valid"),
        ("https://images.example.com/\r\nX-Injected: 1", "its URL is not valid"),
        ("https://images\t.example.com/", "its URL is not valid"),
        ("https://images.example.com/\ud800", "its URL is not valid"),
        ("https://", "its URL has no host name, such as images.example.com"),
        ("https:///cat.png", "its URL has no host name, such as images.example.com"),
        ("https://localhost/", "its URL has no host name, such as images.example.com"),
        ("https://metadata/", "its URL has no host name, such as images.example.com"),
        ("https://images..example.com/", "its URL has no host name, such as images.example.com"),
        ("https://-images.example.com/", "its URL has no host name, such as images.example.com"),
        ("https://" + "a" * 64 + ".example.com/", "its URL has no host name, such as images.example.com"),
        ("https://" + "a." * 130 + "com/", "its URL has no host name, such as images.example.com"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_url_of_another_form_is_refused_before_anything_is_asked(url: str, reason: str) -> None:
    """Https on its own port, a name with a dot, nothing that two parsers would read differently."""
    names = Names()

    result = asyncio.run(outcome(SafeImages(lookup=names), url))

    assert (result, names.asked) == (f"The image cannot be fetched: {reason}", [])


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="htps:/.@[]%\\?#0123456789abcx-_ \t\n").map("https://".__add__),
        st.tuples(st.sampled_from(["a.example.com", "[::1]", "127.0.0.1", "xn--a.com"]), st.text()).map(
            lambda parts: f"https://{parts[0]}{parts[1]}"
        ),
    )
)
def test_no_text_whatever_becomes_another_error(text: str) -> None:
    """A request's URL is any string, and so is a server's redirect."""
    result = asyncio.run(outcome(SafeImages(lookup=Names([])), text))

    assert str(result).startswith("The image cannot be fetched: ")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "8.8.8.8",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1%25eth0]",
        "[64:ff9b::7f00:1]",
        "１２７.０.０.１",
        "127。0。0。1",
    ],
)
def test_an_address_in_place_of_a_name_is_refused_in_every_spelling(host: str) -> None:
    """The client library asks no resolver for these, so no resolver could refuse them."""
    names = Names()

    result = asyncio.run(outcome(SafeImages(lookup=names, allowed=lambda _: True), f"https://{host}/cat.png"))

    assert result == "The image cannot be fetched: its URL has no host name, such as images.example.com"
    assert names.asked == []


def test_three_redirects_are_followed() -> None:
    """Absolute and relative ones: image hosts send on to their storage."""
    places = ["", "https://{}/two", "/three", "four?x=1", ""]

    result, server = fetched(redirecting(lambda number, place: places[number].format(place)))

    assert result == ("image/png", PNG)
    assert [head.split()[1] for head in server.heads] == ["/cat.png", "/two", "/three", "/four?x=1"]


def test_a_fourth_redirect_is_refused() -> None:
    """A loop ends."""
    result, server = fetched(redirecting(lambda number, place: "/again"))

    assert result == "The image cannot be fetched: it redirects more than 3 times"
    assert len(server.connections) == 4


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://images.example.com/", "its URL does not begin with https://"),
        ("https://images.example.com:1/", "its URL has a port other than {port}"),
        ("https://u:p@{place}/", "its URL has a user name or password"),
        ("//[::1]:{port}/", "its URL has no host name, such as images.example.com"),
        ("https://127.0.0.1:{port}/", "its URL has no host name, such as images.example.com"),
        ("https://images.example.com\\@127.0.0.1/", "its URL is not valid"),
        ("\udcff", "its URL is not valid"),
        ("gopher://127.0.0.1:70/", "its URL does not begin with https://"),
    ],
    ids=ascii,
)
def test_a_redirect_to_what_would_be_refused_is_refused(location: str, reason: str) -> None:
    """Each hop is checked as if the caller had named it."""

    async def script(connection: Connection) -> None:
        head = await connection.request()
        place = head.lower().partition("host: ")[2].partition("\r\n")[0]
        target = location.format(place=place, port=place.partition(":")[2])
        line = b"location: " + target.encode("utf-8", "surrogateescape") + b"\r\n"
        await connection.send(b"HTTP/1.1 302 Found\r\n" + line + b"content-length: 0\r\n\r\n")

    result, server = fetched(script)

    assert result == f"The image cannot be fetched: {reason.format(port=server.port)}"
    assert len(server.connections) == 1


def test_a_redirect_without_a_target_is_refused() -> None:
    """There is nowhere to go."""
    result, _ = fetched(always(answer(status="302 Found")))

    assert result == "The image cannot be fetched: its URL is not valid"
