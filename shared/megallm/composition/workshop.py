"""Makes the providers of upstreams over the network from what the catalogue says of them.

Their modules are imported by whoever first needs one: a Lambda function that asks Bedrock alone loads no other.
"""

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from megallm.catalog.upstreams import AnthropicUpstream, BedrockUpstream, OpenAIUpstream
from megallm.errors import UpstreamMisconfigured
from megallm.identifiers import new_tool_use_id
from megallm.messages.signatures import Signer
from megallm.operations.ports import Provider
from megallm.settings import BrokenSettings, Settings
from megallm.stores.secrets import MissingSecret, Secret, Secrets
from megallm.telemetry import log

if TYPE_CHECKING:
    from megallm.providers.http import Http
    from megallm.providers.images import ImageSource

_OWN_SECRET_BYTES = 32
_LEAST_SECRET_BYTES = 16  # what cannot be guessed


class Workshop:
    """What the providers of one process share: connections, secrets, the one who signs."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._signing = self._secret("MEGALLM_SIGNING_SECRET", settings.signing_secret)
        self._own_signer = Signer([os.urandom(_OWN_SECRET_BYTES)])

    def maker(
        self, name: str, upstream: AnthropicUpstream | BedrockUpstream | OpenAIUpstream
    ) -> Callable[[], Provider]:
        """What makes this provider. Raises BrokenSettings now for a secret that the environment does not have."""
        match upstream:
            case AnthropicUpstream():
                key = self._secret(f"providers.{name}.api_key", upstream.api_key)
                return lambda: self._anthropic(name, upstream, key)
            case BedrockUpstream():
                return lambda: self._bedrock(name, upstream)
            case OpenAIUpstream():
                key = self._secret(f"providers.{name}.api_key", upstream.api_key)
                return lambda: self._openai(name, upstream, key)
            case _:
                assert_never(upstream)

    def _anthropic(self, name: str, upstream: AnthropicUpstream, key: Secret | None) -> Provider:
        from megallm.providers.anthropic.provider import AnthropicProvider, AnthropicSettings
        from megallm.providers.tokens import count_text

        settings = AnthropicSettings(upstream.base_url, upstream.headers, upstream.auth_header)
        return AnthropicProvider(name=name, settings=settings, http=self._http, api_key=key, count_text=count_text)

    def _bedrock(self, name: str, upstream: BedrockUpstream) -> Provider:
        from megallm.providers.bedrock.provider import BedrockProvider, BedrockSettings
        from megallm.providers.tokens import count_text

        return BedrockProvider(
            name=name,
            settings=BedrockSettings(upstream.region, upstream.profile, upstream.endpoint_url),
            http=self._http,
            signer=self.signer,
            new_tool_id=new_tool_use_id,
            count_text=count_text,
            images=self._images,
        )

    def _openai(self, name: str, upstream: OpenAIUpstream, key: Secret | None) -> Provider:
        from megallm.providers.openai.provider import OpenAIProvider, OpenAISettings
        from megallm.providers.tokens import count_text

        settings = OpenAISettings(
            base_url=upstream.base_url,
            path=upstream.path,
            query=upstream.query,
            headers=upstream.headers,
            body=upstream.body,
            auth_header=upstream.auth_header,
            tokenize_path=upstream.tokenize_path,
        )
        return OpenAIProvider(
            name=name,
            settings=settings,
            http=self._http,
            api_key=key,
            signer=self.signer,
            new_tool_id=new_tool_use_id,
            images=self._images,
            count_text=count_text,
        )

    @cached_property
    def _http(self) -> "Http":
        from megallm.providers.http import Http

        return Http(use_proxies=self._settings.use_proxies)

    @cached_property
    def _images(self) -> "ImageSource | None":
        if not self._settings.fetch_image_urls:
            return None
        from megallm.providers.image_fetch import SafeImages

        return SafeImages()

    async def aclose(self) -> None:
        """Closes the connections, if any provider has made some."""
        if "_http" in vars(self):
            await self._http.aclose()

    async def signer(self) -> Signer:
        """Who signs thinking now. Raises UpstreamMisconfigured."""
        if self._signing is None:
            return self._own_signer
        texts = [text.strip().encode() for version in await self._signing.versions() for text in version.split(",")]
        secrets = [text for text in texts if len(text) >= _LEAST_SECRET_BYTES]
        if not secrets or len(texts[0]) < _LEAST_SECRET_BYTES:
            log("secret_too_short", {"setting": "MEGALLM_SIGNING_SECRET", "least_bytes": _LEAST_SECRET_BYTES})
            raise UpstreamMisconfigured("The gateway's signing secret is too short to sign with")
        return Signer(secrets)

    def _secret(self, place: str, reference: str | None) -> Secret | None:
        try:
            return None if reference is None else self._secrets.secret(reference)
        except MissingSecret as error:
            raise BrokenSettings(f"{place}: {error}") from error
