"""Speaks HTTP with one chat-completions server: where it is, what opens it, what every call carries."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from megallm.messages.json_text import json_text
from megallm.providers.http import Http, OpenAnswer
from megallm.providers.masking import keys_in, masked, secrets_of, userinfo
from megallm.providers.secrets import ApiKey

_MODEL = "{model}"
_UNKNOWN_KEY = 401
_NO_KEY = frozenset({_UNKNOWN_KEY, 403})


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """Where a server is and what it wants to see.

    ``base_url``, ``path`` and the values of ``query`` may hold ``{model}``, as Azure's deployments do. ``headers`` and
    ``body`` go over ours. ``auth_header`` is ``authorization`` for ``Bearer <key>``; any other has the bare key.
    ``tokenize_path``, from the server's root, takes a chat and tells its tokens; None where there is no such thing.
    """

    base_url: str = field(repr=False)  # this and the path may hold a key as well
    path: str = field(default="/chat/completions", repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    auth_header: str = "authorization"
    tokenize_path: str | None = field(default=None, repr=False)


class ChatClient:
    """Calls to one server."""

    def __init__(self, settings: OpenAISettings, http: Http, api_key: ApiKey | None) -> None:
        self._settings = settings
        self._http = http
        self._api_key = api_key
        self._known = set(
            secrets_of(settings.headers, settings.query, keys_in(settings.body), userinfo(settings.base_url))
        )  # and keys that were sent

    def redact(self, text: str) -> str:
        """A text of the server without our keys, should it repeat one."""
        return masked(text, self._known)

    def complete(
        self, model: str, body: Mapping[str, object], betas: tuple[str, ...] = ()
    ) -> AbstractAsyncContextManager[OpenAnswer]:
        """The response to a chat, whatever its status; leaving the block ends the call. Raises GatewayError."""
        settings = self._settings
        url = f"{settings.base_url}{settings.path}".replace(_MODEL, quote(model, safe=""))
        if settings.query:
            url += f"?{urlencode({name: value.replace(_MODEL, model) for name, value in settings.query.items()})}"
        extra = {"anthropic-beta": ",".join(betas)} if betas else {}
        return self._open(url, {**body, **settings.body}, extra)

    def tokenize(self, path: str, body: Mapping[str, object]) -> AbstractAsyncContextManager[OpenAnswer]:
        """The response of the server's tokenizer to a chat. Raises GatewayError."""
        server = urlsplit(self._settings.base_url)
        return self._open(f"{server.scheme}://{server.netloc}{path}", body, {})

    @asynccontextmanager
    async def _open(
        self, url: str, body: Mapping[str, object], extra: Mapping[str, str]
    ) -> AsyncGenerator[OpenAnswer, None]:
        """A key that was refused is forgotten; if there is another by now, the call is made once more with that."""
        written = json_text(body)
        key = None if self._api_key is None else await self._api_key.get()
        async with self._http.open(url, headers=self._headers(key, extra), body=written) as answer:
            if self._api_key is None or answer.status not in _NO_KEY:
                yield answer
                return
            self._api_key.forget()
            newer = key if answer.status != _UNKNOWN_KEY else await self._api_key.get()
            if newer == key:
                yield answer
                return
        async with self._http.open(url, headers=self._headers(newer, extra), body=written) as answer:
            if answer.status in _NO_KEY:
                self._api_key.forget()
            yield answer

    def _headers(self, key: str | None, extra: Mapping[str, str]) -> dict[str, str]:
        headers = {"content-type": "application/json", **extra}
        if key:
            self._known.add(key)
            name = self._settings.auth_header.lower()
            headers[name] = f"Bearer {key}" if name == "authorization" else key
        return headers | {name.lower(): value for name, value in self._settings.headers.items()}
