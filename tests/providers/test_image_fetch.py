"""Images by URL, from a TLS server of this machine, whose address only these tests allow."""

import asyncio
import time
from collections.abc import Callable, Sequence

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import InvalidRequest
from megallm.providers.image_fetch import Lookup, SafeImages
from tests.providers.authority import Authority, authority
from tests.providers.pictures import KINDS, PICTURES
from tests.providers.raw_server import LOOPBACK, Connection, RawServer, Script, answer, serving

HOST = "images.example.com"
PNG = PICTURES["png"]
UNREACHABLE = "The image cannot be fetched: its host cannot be reached, or may not be"


class Names:
    """A resolver that gives one answer after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers) or [[LOOPBACK]]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def images(
    server: RawServer,
    *,
    lookup: Lookup | None = None,
    allowed: Callable[[str], bool] = lambda address: address == LOOPBACK,
    trusting: Authority | None = None,
    max_bytes: int = 100_000,
    seconds: float = 10.0,
) -> SafeImages:
    return SafeImages(
        lookup=lookup or Names(),
        allowed=allowed,
        port=server.port,
        tls=(trusting or authority()).trusted(),
        max_bytes=max_bytes,
        seconds=seconds,
    )


def fetched(
    script: Script, *, host: str = HOST, path: str = "/cat.png", max_bytes: int = 100_000, seconds: float = 10.0
) -> tuple[tuple[str, bytes] | str, RawServer]:
    """What one fetch gives, or the message of its refusal; and the server as it was left."""

    async def run() -> tuple[tuple[str, bytes] | str, RawServer]:
        async with serving(script, tls=authority().certified(HOST)) as server:
            safe = images(server, max_bytes=max_bytes, seconds=seconds)
            return await outcome(safe, f"https://{host}:{server.port}{path}"), server

    return asyncio.run(run())


async def outcome(safe: SafeImages, url: str) -> tuple[str, bytes] | str:
    try:
        return await safe.fetch(url)
    except InvalidRequest as error:
        return error.message


def always(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(response)

    return script


def redirecting(locations: Callable[[int, str], str]) -> Script:
    """The n-th connection is sent on to ``locations(n, authority)``; to an empty one it gives the picture."""

    async def script(connection: Connection) -> None:
        head = await connection.request()
        place = head.lower().partition("host: ")[2].partition("\r\n")[0]
        target = locations(connection.number, place)
        redirect = answer(b"elsewhere", status="302 Found", location=target)
        await connection.send(redirect if target else answer(PNG))

    return script


@pytest.mark.parametrize("name", PICTURES)
def test_each_kind_of_image_is_fetched_and_told_by_its_bytes(name: str) -> None:
    """What the header says is often wrong, on S3 above all."""
    result, _ = fetched(always(answer(PICTURES[name], content_type="application/octet-stream")))

    assert result == (KINDS[name], PICTURES[name])


def test_the_request_tells_nothing_of_us() -> None:
    """No cookie, no key, no name of a library; no compression is asked for; the connection is not kept."""
    _, server = fetched(always(answer(PNG)), path="/a%20b/cat.png?X-Sig=a%2Fb+c#part")

    assert server.heads == [
        "GET /a%20b/cat.png?X-Sig=a%2Fb+c HTTP/1.1\r\n"
        f"Host: {HOST}:{server.port}\r\n"
        "accept: image/png, image/jpeg, image/gif, image/webp\r\n"
        "accept-encoding: identity\r\n"
        "Connection: close\r\n"
        "\r\n"
    ]


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


def test_a_connection_to_an_address_that_is_not_allowed_is_never_begun() -> None:
    """The last door, behind the host's grammar and the resolver: here both are gone round."""

    async def run() -> tuple[list[type[BaseException]], int]:
        async with serving(always(answer(PNG)), tls=authority().certified(HOST)) as server:
            refused = images(server, allowed=lambda _: False)
            failures: list[type[BaseException]] = []
            for host in (LOOPBACK, "localhost"):
                async with refused._session() as session:
                    try:
                        await session.get(f"https://{host}:{server.port}/")
                    except aiohttp.ClientError as error:
                        failures.append(type(error))
            return failures, len(server.connections)

    assert asyncio.run(run()) == ([aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError], 0)


@pytest.mark.parametrize("answers", [[LOOPBACK, "10.0.0.1"], ["10.0.0.1", LOOPBACK], []], ids=str)
def test_one_address_that_is_not_allowed_refuses_the_name(answers: list[str]) -> None:
    """A name that leads both outside and inside was made for us. One that leads nowhere looks the same."""

    async def run() -> tuple[tuple[str, bytes] | str, int]:
        async with serving(always(answer(PNG)), tls=authority().certified(HOST)) as server:
            safe = images(server, lookup=Names(answers))
            return await outcome(safe, f"https://{HOST}:{server.port}/"), len(server.connections)

    assert asyncio.run(run()) == (UNREACHABLE, 0)


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """DNS rebinding: the name changes after the first answer, and no second one is asked for."""

    async def run() -> tuple[tuple[str, bytes] | str, list[str], int]:
        async with serving(always(answer(PNG)), tls=authority().certified(HOST)) as server:
            names = Names([LOOPBACK], ["127.0.0.2"])
            return (
                await outcome(images(server, lookup=names), f"https://{HOST}:{server.port}/"),
                names.asked,
                len(server.connections),
            )

    assert asyncio.run(run()) == (("image/png", PNG), [HOST], 1)


def test_a_name_is_checked_anew_for_each_redirect() -> None:
    """The first answer was allowed; after the redirect to itself the same name leads elsewhere."""

    async def run() -> tuple[tuple[str, bytes] | str, list[str], int]:
        script = redirecting(lambda number, place: f"https://{place}/again" if number == 1 else "")
        async with serving(script, tls=authority().certified(HOST)) as server:
            names = Names([LOOPBACK], ["169.254.169.254"])
            return (
                await outcome(images(server, lookup=names), f"https://{HOST}:{server.port}/"),
                names.asked,
                len(server.connections),
            )

    assert asyncio.run(run()) == (UNREACHABLE, [HOST, HOST], 1)


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


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "500 Oops", "204 No Content", "304 Not Modified"])
def test_any_other_status_is_told(status: str) -> None:
    """The caller can mend a wrong URL."""
    result, _ = fetched(always(answer(PNG if status[0] in "45" else b"", status=status)))

    assert result == f"The image cannot be fetched: its server answered with status {status[:3]}"


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"<svg xmlns='...'/>", b"%PDF-1.7", b"GIF8"], ids=ascii)
def test_what_is_not_an_image_is_refused_whatever_its_header_says(body: bytes) -> None:
    """Otherwise the model would read any page that we can reach."""
    result, _ = fetched(always(answer(body, content_type="image/png")))

    assert result == "The image cannot be fetched: it is not a PNG, JPEG, GIF or WebP image"


def test_a_declared_size_over_the_limit_is_refused_at_once() -> None:
    """Nothing of the body is waited for."""
    head = answer(content_length="100001")

    result, _ = fetched(_sending_and_waiting(head), seconds=5.0)

    assert result == "The image cannot be fetched: it has more than 100,000 bytes"


@pytest.mark.parametrize("framing", ["chunked", "until closed"])
def test_a_body_over_the_limit_is_cut_off_while_it_comes(framing: str) -> None:
    """An endless one: no more of it is read, and the connection is closed."""
    sent = 0
    piece = PNG + bytes(16_384 - len(PNG))

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        head = "transfer-encoding: chunked\r\n" if framing == "chunked" else ""
        await connection.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        while sent < 100_000_000:
            await connection.send(b"4000\r\n" + piece + b"\r\n" if framing == "chunked" else piece)
            sent += len(piece)

    result, _ = fetched(script)

    assert result == "The image cannot be fetched: it has more than 100,000 bytes"
    assert sent < 20_000_000  # what the sockets' buffers take in passing


def test_an_image_as_large_as_the_limit_passes() -> None:
    """The limit is what is allowed, not the first that is refused."""
    image = PNG + bytes(100_000 - len(PNG))

    result, _ = fetched(always(answer(image)))

    assert result == ("image/png", image)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_answer_is_refused(encoding: str) -> None:
    """It was not asked for, and a few kilobytes can unpack to gigabytes."""
    result, _ = fetched(always(answer(PNG, content_encoding=encoding)))

    assert result == "The image cannot be fetched: its server sent it compressed"


def test_a_body_that_breaks_off_is_no_image() -> None:
    """Half a picture must not reach the model as if it were one."""
    result, _ = fetched(always(answer(PNG, content_length=str(len(PNG) + 10))))

    assert result == UNREACHABLE


@pytest.mark.parametrize("where", ["handshake", "head", "body", "redirects"])
def test_the_time_limit_is_one_for_everything(where: str) -> None:
    """A byte now and then keeps no connection alive, and redirects begin no new count."""

    async def script(connection: Connection) -> None:
        await connection.request()
        match where:
            case "head":
                await connection.send(*[bytes([byte]) for byte in answer(PNG)], pause=0.05)
            case "body":
                await connection.send(answer(content_length="100"))
                await connection.send(*[b"x"] * 100, pause=0.05)
            case _:
                await asyncio.sleep(0.2)
                await connection.send(answer(status="302 Found", location="/again"))

    async def silent(connection: Connection) -> None:
        await connection.gone()

    async def run() -> tuple[tuple[str, bytes] | str, float]:
        handshake = where == "handshake"
        tls = None if handshake else authority().certified(HOST)
        async with serving(silent if handshake else script, tls=tls) as server:
            began = time.monotonic()
            result = await outcome(images(server, seconds=0.5), f"https://{HOST}:{server.port}/")
            return result, time.monotonic() - began

    result, seconds = asyncio.run(run())

    assert result == "The image cannot be fetched: it took longer than 0.5 seconds"
    assert 0.4 < seconds < 2


def test_a_resolver_that_does_not_answer_is_within_the_time_limit() -> None:
    """A name's server is the attacker's own, too."""

    async def lookup(host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    result = asyncio.run(outcome(SafeImages(lookup=lookup, seconds=0.2), f"https://{HOST}/"))

    assert result == "The image cannot be fetched: it took longer than 0.2 seconds"


def test_a_name_that_does_not_exist_cannot_be_told_from_one_that_is_ours() -> None:
    """The caller would learn the names of our network. The system's resolver is asked here: *.invalid never exists."""
    result = asyncio.run(outcome(SafeImages(), "https://images.invalid/"))

    assert result == UNREACHABLE


def test_the_systems_resolver_may_not_lead_to_this_machine() -> None:
    """The default policy over the default resolver, asked for a name that is this machine everywhere."""
    system = SafeImages()._lookup

    async def lookup(host: str) -> Sequence[str]:
        return await system("localhost")

    async def run() -> tuple[set[str], tuple[str, bytes] | str]:
        return set(await lookup(HOST)), await outcome(SafeImages(lookup=lookup), f"https://{HOST}/")

    addresses, result = asyncio.run(run())

    assert addresses | {"::1"} == {LOOPBACK, "::1"}
    assert result == UNREACHABLE


@pytest.mark.parametrize("fault", ["another name", "another authority", "no TLS", "reset"])
def test_a_server_that_is_not_who_it_should_be_is_not_heard(fault: str) -> None:
    """The certificate is for the name in the URL, from an authority that we trust; nothing is sent before that."""

    async def script(connection: Connection) -> None:
        match fault:
            case "reset":
                connection.reset()
            case "no TLS":
                await connection.send(answer(PNG))
            case _:
                await connection.request()
                await connection.send(answer(PNG))

    async def run() -> tuple[tuple[str, bytes] | str, list[str]]:
        name = "other.example.com" if fault == "another name" else HOST
        tls = None if fault in ("no TLS", "reset") else authority().certified(name)
        async with serving(script, tls=tls) as server:
            safe = images(server, trusting=Authority() if fault == "another authority" else None)
            return await outcome(safe, f"https://{HOST}:{server.port}/"), server.heads

    assert asyncio.run(run()) == (UNREACHABLE, [])


def test_a_port_where_nobody_listens_looks_the_same() -> None:
    """Whoever could tell would be scanning ports through us."""

    async def run() -> tuple[str, bytes] | str:
        async with serving(always(answer(PNG))) as server:
            safe = images(server)
        return await outcome(safe, f"https://{HOST}:{server.port}/")

    assert asyncio.run(run()) == UNREACHABLE


def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A proxy would resolve the name itself, past every check."""
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine {HOST} login user password secret\n")
    netrc.chmod(0o600)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))

    result, server = fetched(always(answer(PNG)))

    assert result == ("image/png", PNG)
    assert "authorization" not in server.heads[0].lower()


def test_cancelling_closes_the_connection_at_once() -> None:
    """The caller has gone."""

    async def run() -> bool:
        closed = asyncio.Event()
        waiting = asyncio.Event()

        async def script(connection: Connection) -> None:
            await connection.request()
            waiting.set()
            await connection.gone()
            closed.set()

        async with serving(script, tls=authority().certified(HOST)) as server:
            task = asyncio.create_task(images(server).fetch(f"https://{HOST}:{server.port}/"))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(1):
                await closed.wait()
            return closed.is_set()

    assert asyncio.run(run())


def _sending_and_waiting(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(response)
        await connection.gone()

    return script
