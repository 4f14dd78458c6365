"""Speaks HTTP with one server of the Messages API: where it is, what opens it, what every call carries."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from megallm.messages.events import JsonObject
from megallm.messages.native.body import NativeBody
from megallm.providers.anthropic.answers import OF_THE_KEY, refused
from megallm.providers.http import Http, OpenAnswer
from megallm.providers.masking import masked_in, secrets_of, userinfo
from megallm.providers.secrets import ApiKey

_BETAS = "anthropic-beta"
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class AnthropicSettings:
    """Where a server is and what it wants to see.

    ``base_url`` comes before ``/v1/messages``. ``headers`` go over ours, but for ``anthropic-beta``, which goes with
    the caller's. ``auth_header`` is ``authorization`` for ``Bearer <key>``; any other has the bare key.
    """

    base_url: str = field(default="https://api.anthropic.com", repr=False)  # may hold a key as well
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth_header: str = "x-api-key"


class AnthropicClient:
    """Calls to one server."""

    def __init__(self, settings: AnthropicSettings, http: Http, api_key: ApiKey | None) -> None:
        self._base_url = settings.base_url.rstrip("/")
        self._auth_header = settings.auth_header.lower()
        self._headers = {name.lower(): value for name, value in settings.headers.items()}
        self.of_the_operator = self._headers.keys()
        self._http = http
        self._api_key = api_key
        self._known = set(secrets_of(settings.headers, userinfo(settings.base_url)))  # and keys that were sent

    def redact(self, payload: JsonObject) -> JsonObject:
        """What the server says of an error, without our keys, should it repeat one."""
        redacted: JsonObject = masked_in(payload, self._known)
        return redacted

    @asynccontextmanager
    async def open(
        self,
        path: str,
        wire: NativeBody,
        *,
        version: str,
        accept: str = "application/json",
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> AsyncGenerator[OpenAnswer, None]:
        """The answer with status 200; leaving the block ends the call. Raises GatewayError for every other.

        *headers* are the caller's.

        A key that was refused is forgotten; if there is another by now, the call is made once more with that.
        """
        url = f"{self._base_url}{path}"
        ours = {"content-type": "application/json", "accept": accept, "anthropic-version": version}
        fixed = {**headers, **ours, **self._headers}
        betas = [flag for flag in (self._headers.get(_BETAS), *wire.betas) if flag]
        if betas:
            fixed[_BETAS] = ",".join(betas)
        key = await self._api_key.get() if self._api_key is not None else None
        for may_repeat in (True, False):
            async with self._http.open(url, headers=self._opening(key) | fixed, body=wire.body) as answer:
                if answer.status == 200:
                    yield answer
                    return
                error = refused(answer.status, answer.headers, await answer.read(), self.redact)
            if answer.status not in OF_THE_KEY or self._api_key is None:
                break
            self._api_key.forget()
            if may_repeat:
                key, old = await self._api_key.get(), key
                if key == old:
                    break
        raise error

    def _opening(self, key: str | None) -> dict[str, str]:
        if not key:
            return {}
        self._known.add(key)
        return {self._auth_header: f"Bearer {key}" if self._auth_header == "authorization" else key}
