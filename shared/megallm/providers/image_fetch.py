"""Images fetched by their URL for upstreams that take only bytes: from the public internet, and never from our side.

The URL comes from the caller, so the request could be meant for a service that only we can reach. What is checked
is what is used: one parser reads the URL for the check and for the connection, all addresses of the host are checked
and the connection goes to one of these very addresses, and each redirect is a new URL to be checked.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from megallm.errors import InvalidRequest
from megallm.providers.addresses import is_public
from megallm.providers.image_size import media_type_of

MAX_IMAGE_BYTES = 5 * 1024 * 1024
FETCH_SECONDS = 10.0
MAX_REDIRECTS = 3
MAX_URL_CHARACTERS = 4096  # one signed for S3 has about 2,000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A name, with a top level that begins with a letter: addresses in all their spellings (2130706433, 0x7f.1, [::1]) do
# not pass. aiohttp would connect to them without asking the resolver.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,16}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HEADERS = {"accept": "image/png, image/jpeg, image/gif, image/webp", "accept-encoding": "identity"}
# Whether a name does not exist, is ours or does not answer looks the same from outside: the caller would learn the
# names of our network.
_UNREACHABLE = "its host cannot be reached, or may not be"

Lookup = Callable[[str], Awaitable[Sequence[str]]]


class SafeImages:
    """Fetches images over https. Keeps no connection, no cookie and no credentials, and uses no proxy.

    *max_bytes* and *seconds* bound each image, redirects and name resolution included. *allowed* tells of an address
    whether it may be connected to, *lookup* gives a name's addresses, *port* is the only one, and *tls* says whom to
    trust: tests have their own.
    """

    def __init__(
        self,
        *,
        max_bytes: int = MAX_IMAGE_BYTES,
        seconds: float = FETCH_SECONDS,
        allowed: Callable[[str], bool] = is_public,
        lookup: Lookup | None = None,
        port: int = 443,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._allowed = allowed
        self._lookup = lookup or _SystemLookup()
        self._port = port
        self._tls = tls

    async def fetch(self, url: str) -> tuple[str, bytes]:
        """The media type, told from the bytes, and the bytes. Raises InvalidRequest, saying why."""
        address = self._checked(_parsed(url))
        try:
            async with asyncio.timeout(self._seconds), self._session() as session:
                image = await self._follow(session, address)
        except TimeoutError as error:
            raise _refusal(f"it took longer than {self._seconds:g} seconds") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _refusal(_UNREACHABLE) from error
        media_type = media_type_of(image)
        if media_type is None:
            raise _refusal("it is not a PNG, JPEG, GIF or WebP image")
        return media_type, image

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckingResolver(self._lookup, self._allowed),
                socket_factory=self._socket,
                ssl=self._tls or True,
                use_dns_cache=False,
                force_close=True,
            ),
            headers=_HEADERS,
            skip_auto_headers=["user-agent"],
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    def _socket(self, target: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for the very address that is connected to next: the resolver's check, made once more."""
        family, kind, protocol, _, address = target
        if not self._allowed(str(address[0])):
            raise PermissionError(_UNREACHABLE)
        return socket.socket(family, kind, protocol)

    async def _follow(self, session: aiohttp.ClientSession, url: URL) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._body(response)
                location = response.headers.get("location", "")
            url = self._checked(url.join(_parsed(location)))
        raise _refusal(f"it redirects more than {MAX_REDIRECTS} times")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status != 200:
            raise _refusal(f"its server answered with status {response.status}")
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise _refusal("its server sent it compressed")  # a bomb has its size only when it is unpacked
        too_large = _refusal(f"it has more than {self._max_bytes:,} bytes")
        if (response.content_length or 0) > self._max_bytes:  # to refuse early; what it promises is not believed
            raise too_large
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self._max_bytes:
                raise too_large
        return b"".join(parts)

    def _checked(self, url: URL) -> URL:
        if url.scheme != "https":
            raise _refusal("its URL does not begin with https://")
        if url.user is not None or url.password is not None:
            raise _refusal("its URL has a user name or password")
        if url.port != self._port:
            raise _refusal(f"its URL has a port other than {self._port}")
        host = (url.raw_host or "").lower()
        if len(host) > 253 or not _HOST.fullmatch(host):
            raise _refusal("its URL has no host name, such as images.example.com")
        return url


class _CheckingResolver(AbstractResolver):
    """Gives aiohttp the addresses of a name, once all of them are allowed."""

    def __init__(self, lookup: Lookup, allowed: Callable[[str], bool]) -> None:
        self._lookup = lookup
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = await self._lookup(host)
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise PermissionError(_UNREACHABLE)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _SystemLookup:
    """The system's resolver, in threads of its own: names that take long hold up no other work of the process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="image-lookup")

    async def __call__(self, host: str) -> Sequence[str]:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]


def _parsed(text: str) -> URL:
    """Read once, by the parser whose result the connection uses. Others disagree about what is refused here."""
    is_odd = any(character <= " " or character in "\\\x7f" for character in text)
    if not text or len(text) > MAX_URL_CHARACTERS or is_odd:
        raise _refusal("its URL is not valid")
    try:
        text.encode()  # no half of a surrogate pair
        url = URL(text)
        return URL(text, encoded=True) if text.isascii() else url  # signatures are made over the spelling
    except ValueError as error:
        raise _refusal("its URL is not valid") from error


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The image cannot be fetched: {reason}")
