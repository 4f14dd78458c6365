"""The one place that touches llama.cpp: loads a model, tokenizes prompts, runs and cancels completions.

llama.cpp runs in this process and is spoken to over a Unix socket in a private folder, not by
xllamacpp's in-process calls: those cannot be cancelled before the first token, and a long prompt takes
half a minute to get there. Over the socket, closing the connection ends the work within a batch.
"""

import atexit
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic_core import from_json

from megallm.errors import InvalidRequest, UpstreamFailed
from megallm.providers.embedded.errors import EmbeddedUnavailable
from megallm.providers.embedded.folders import SOCKET_NAME, make_folder, sweep
from megallm.providers.embedded.gguf import Header, read_header
from megallm.providers.embedded.library import Library, load_library
from megallm.providers.embedded.prompt import Piece, PromptTurn

# Cells for 16k tokens a slot are 0.9 GB with the default model; its whole 32k would double that.
MAX_DEFAULT_CONTEXT_TOKENS = 16_384
# A cancelled call ends with its batch: some 5 s at the default model's 25 tokens/s, half of what 256 take. In five
# rounds on two busy cores (2 of 1,500 tokens, 3 of 512), 128 read at 0.84 to 1.06 of the speed of 256, 0.95 on average;
# 64 at 0.84 to 1.05, 0.96 on average: no difference that stands out of the noise.
_BATCH_TOKENS = 128
_REMEMBERED = 256
_NO_JSON = "z"
# An option of llama.cpp's grammar engine: JSON on one line. Free white space is what small models get lost in.
_ONE_LINE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_QUIET = -1


KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class GrammarRefused(Exception):
    """The schema is beyond what llama.cpp can enforce."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A running llama.cpp: ``server`` only has to be kept alive."""

    server: object
    folder: Path
    socket: str
    context_tokens: int


class Runtime:
    """One loaded model. ``load`` and ``close`` block; the rest is asynchronous, from any event loop."""

    def __init__(self, model_path: Path, *, threads: int | None, context_tokens: int | None, slots: int) -> None:
        self.header: Header = read_header(model_path)
        self._model_path = model_path
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)
        wanted = context_tokens or min(MAX_DEFAULT_CONTEXT_TOKENS, self.header.context_tokens)
        self._context_tokens = min(wanted, self.header.context_tokens)
        self._slots = slots
        self._library: Library | None = None
        self._loaded: _Loaded | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._fragments: OrderedDict[tuple[str, bool], list[int]] = OrderedDict()
        self._checked: OrderedDict[str, None] = OrderedDict()
        self.running = 0

    @property
    def context_tokens(self) -> int:
        """Tokens that a request and its reply may have together."""
        return self._loaded.context_tokens if self._loaded is not None else self._context_tokens

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._loaded is not None

    def load(self) -> None:
        """Loads the model; again, does nothing. Raises EmbeddedUnavailable with the remedy."""
        with self._lock:
            if self._closed:
                raise EmbeddedUnavailable("The embedded model was closed")
            if self._loaded is None:
                self._loaded = self._start()
                # Unloaded while Python still stands: llama.cpp's threads crash in what exit has freed.
                atexit.register(self.close)

    def close(self) -> None:
        """Ends what runs and frees the memory."""
        with self._lock:
            self._closed = True
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                atexit.unregister(self.close)
                folder = loaded.folder
                del loaded  # the last reference: the destructor stops and joins llama.cpp's threads
                shutil.rmtree(folder, ignore_errors=True)

    def grammar(self, schema: Mapping[str, object]) -> str:
        """The grammar of a JSON schema. Raises GrammarRefused."""
        if self._library is None:
            self._library = load_library()
        try:
            return self._library.json_schema_to_grammar({**schema, "x-guidance": _ONE_LINE})
        except Exception as error:  # the binding raises RuntimeError, ValueError or TypeError
            raise GrammarRefused(str(error)) from error

    async def tokenize(self, turns: Sequence[PromptTurn], suffix: Sequence[Piece] = ()) -> list[int]:
        """The prompt as token ids: the model's template around the turns, *suffix* after it.

        Only the template sees the template's engine; what people wrote is tokenized by itself, so that
        ``<|im_end|>`` in it stays eight harmless letters and no control token.
        """
        async with self._client() as client:
            rendered = await self._render(client, turns)
            pieces: list[Piece] = []
            for index, turn in enumerate(turns):
                before, found, rendered = rendered.partition(_placeholder(index))
                if not found:
                    raise UpstreamFailed("The model's chat template leaves out a part of this conversation")
                pieces += [Piece(before, markup=True), *turn.pieces]
            pieces += [Piece(rendered, markup=True), *suffix]
            return await self._tokenize_pieces(client, pieces)

    async def check_grammar(self, grammar: str) -> None:
        """Raises GrammarRefused for a grammar that is not enforced.

        llama.cpp drops one that it cannot compile and generates without, in silence. So each new one is tried on
        a single token, with a letter that begins no JSON made irresistible: only a grammar keeps it out.
        """
        if grammar in self._checked:
            return
        async with self._client() as client:
            letter = (await self._post_tokenize(client, _NO_JSON, special=False, first=False))[-1]
        probe = {"prompt": [letter], "grammar": grammar, "logit_bias": [[letter, 1000.0]], "n_predict": 1}
        async with aclosing(self.complete({**probe, "cache_prompt": False})) as chunks:
            if _NO_JSON in "".join([chunk.get("content", "") async for chunk in chunks]):
                raise GrammarRefused("it uses what a grammar cannot express, or is no valid JSON Schema")
        _remember(self._checked, grammar, None)

    async def complete(self, body: Mapping[str, object]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of a completion. Closing the generator ends it and frees its slot.

        Raises GrammarRefused, or UpstreamFailed where llama.cpp fails otherwise.
        """
        self.running += 1
        try:
            async with (
                self._client() as client,
                client.stream("POST", "/completion", json={**body, "stream": True}) as response,
            ):
                if response.status_code != 200:
                    raise _refusal(from_json(await response.aread()))
                async for line in response.aiter_lines():
                    field, _, value = line.partition(": ")
                    if field == "error":
                        raise _refusal({"error": from_json(value)})
                    if field == "data" and value != "[DONE]":
                        chunk = from_json(value)
                        if "error" in chunk:
                            raise _refusal(chunk)
                        yield chunk
        finally:
            self.running -= 1

    def _start(self) -> _Loaded:
        self._library = self._library or load_library()
        folder = make_folder()
        sweep(folder.parent, time.time())
        socket = folder / SOCKET_NAME
        params = self._library.CommonParams()
        params.model.path = str(self._model_path)
        params.hostnames = [str(socket)]  # no TCP port
        params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
        params.verbosity = _QUIET
        params.n_parallel = self._slots
        params.n_ctx = self._context_tokens * self._slots  # llama.cpp divides it among the slots
        params.n_batch = _BATCH_TOKENS
        params.cache_ram_mib = 0  # its default is 8 GB of old prompts
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        try:
            server = self._library.Server(params)
            with self._sync_client(str(socket)) as client:
                settings = client.get("/props").json()["default_generation_settings"]
        except (RuntimeError, httpx.HTTPError, KeyError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise EmbeddedUnavailable(
                f"llama.cpp could not load {self._model_path}: the file may be broken, of a kind that it does not "
                "know, or larger than the free memory"
            ) from error
        return _Loaded(server, folder, str(socket), min(self._context_tokens, int(settings["n_ctx"])))

    @staticmethod
    def _sync_client(socket: str) -> httpx.Client:
        return httpx.Client(transport=httpx.HTTPTransport(uds=socket, verify=False), base_url="http://llama")

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[httpx.AsyncClient]:
        """A client for one call: a pool would be bound to one event loop, and the socket costs nothing.

        Whatever goes wrong with the connection is raised as UpstreamFailed.
        """
        if self._loaded is None:
            raise UpstreamFailed("The embedded model was closed")
        transport = httpx.AsyncHTTPTransport(uds=self._loaded.socket, verify=False)
        try:
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://llama",
                timeout=None,  # noqa: S113  # it may wait for a slot; the caller bounds the whole
                trust_env=False,
            ) as client:
                yield client
        except httpx.HTTPError as error:
            raise UpstreamFailed("The embedded model stopped answering") from error

    async def _render(self, client: httpx.AsyncClient, turns: Sequence[PromptTurn]) -> str:
        messages = [{"role": turn.role, "content": _placeholder(index)} for index, turn in enumerate(turns)]
        body = {"messages": messages, "chat_template_kwargs": {"enable_thinking": False}}
        answer = await client.post("/apply-template", json=body)
        if answer.status_code != 200:
            raise InvalidRequest(
                "The chat template of this model refuses the order of roles in this conversation", param="messages"
            )
        return str(answer.json()["prompt"])

    async def _tokenize_pieces(self, client: httpx.AsyncClient, pieces: Sequence[Piece]) -> list[int]:
        """Ours piece by piece from a small cache; the rest in one call, the ids of ours in between."""
        content: list[int | str] = []
        for position, piece in enumerate(pieces):
            if piece.markup:
                content += await self._markup(client, piece.text, first=position == 0)
            else:
                content += split_markers(piece.text, self.header.markers)
        return await self._post_tokenize(client, content, special=False, first=False)

    async def _markup(self, client: httpx.AsyncClient, text: str, *, first: bool) -> list[int]:
        known = self._fragments.get((text, first))
        if known is None:
            known = await self._post_tokenize(client, text, special=True, first=first) if text or first else []
            _remember(self._fragments, (text, first), known)
        return known

    @staticmethod
    async def _post_tokenize(
        client: httpx.AsyncClient, content: str | list[int | str], *, special: bool, first: bool
    ) -> list[int]:
        body = {"content": content, "parse_special": special, "add_special": first}
        answer = await client.post("/tokenize", json=body)
        if answer.status_code != 200:
            raise UpstreamFailed("The embedded model could not tokenize the prompt")
        tokens: list[int] = answer.json()["tokens"]
        return tokens


def split_markers(text: str, markers: Sequence[str]) -> list[str]:
    """The text in parts none of which contains a whole marker; each part is tokenized by itself."""
    cuts: list[int] = []
    for marker in markers:
        at = text.find(marker)
        while at != -1:
            cuts.append(at + 1)
            at = text.find(marker, at + 1)
    bounds = [0, *sorted(set(cuts)), len(text)]
    return [text[start:end] for start, end in pairwise(bounds) if start < end]


def _remember(memory: "OrderedDict[KeyT, ValueT]", key: KeyT, value: ValueT) -> None:
    memory[key] = value
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _placeholder(index: int) -> str:
    # Private-use characters: nothing that a template looks for, and never seen by the model.
    return f"\ue000{index}\ue001"


def _refusal(answer: Any) -> GrammarRefused | UpstreamFailed:
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    code, message = error.get("code"), str(error.get("message", ""))
    if code == 400 and ("grammar" in message or "schema" in message):
        return GrammarRefused(message)
    return UpstreamFailed("The embedded model failed")
