"""Images by URL: what is asked for, and what of the answer is taken."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from megallm.providers.image_fetch import SafeImages
from tests.providers.authority import authority
from tests.providers.image_calls import HOST, PNG, UNREACHABLE, always, fetched, images, outcome
from tests.providers.pictures import KINDS, PICTURES
from tests.providers.raw_server import Connection, Script, answer, serving


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

    result, _ = fetched(_sending_and_waiting(head))

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
    assert seconds > 0.4


def test_a_resolver_that_does_not_answer_is_within_the_time_limit() -> None:
    """A name's server is the attacker's own, too."""

    async def lookup(host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    result = asyncio.run(outcome(SafeImages(lookup=lookup, seconds=0.2), f"https://{HOST}/"))

    assert result == "The image cannot be fetched: it took longer than 0.2 seconds"


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
            async with asyncio.timeout(60):
                await closed.wait()
            return closed.is_set()

    assert asyncio.run(run())


def _sending_and_waiting(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(response)
        await connection.gone()

    return script
