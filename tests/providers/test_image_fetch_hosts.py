"""Images by URL: to which addresses and servers a name may lead."""

import asyncio
from collections.abc import Sequence

import aiohttp
import pytest

from megallm.providers.image_fetch import SafeImages
from tests.providers.authority import Authority, authority
from tests.providers.image_calls import HOST, PNG, UNREACHABLE, Names, always, fetched, images, outcome, redirecting
from tests.providers.raw_server import LOOPBACK, Connection, answer, serving


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
