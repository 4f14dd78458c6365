"""The embedded model as a provider of the gateway: joins translation, llama.cpp and the stream of events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from megallm.errors import InvalidRequest, UpstreamFailed
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Event, Reply, Usage
from megallm.messages.fold import fold
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.providers.embedded.errors import EmbeddedUnavailable
from megallm.providers.embedded.prefill import grammar_beginning_with
from megallm.providers.embedded.runtime import GrammarRefused, Runtime
from megallm.providers.embedded.stream import ReplyStream
from megallm.providers.embedded.wire import Constraint, Wire, WirePrompt, prompt_to_wire, to_wire


class EmbeddedProvider:
    """One model file, loaded once, with ``slots`` requests at a time; further ones wait their turn.

    Raises EmbeddedUnavailable for a file that is missing or no model.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        new_tool_id: Callable[[], str],
        threads: int | None = None,
        context_tokens: int | None = None,
        slots: int = 2,
    ) -> None:
        self._runtime = Runtime(model_path, threads=threads, context_tokens=context_tokens, slots=slots)
        self._new_tool_id = new_tool_id

    @property
    def display_name(self) -> str:
        """The model's own name."""
        return self._runtime.header.name

    @property
    def context_tokens(self) -> int:
        """Tokens that a request and its reply may have together."""
        return self._runtime.context_tokens

    @property
    def running(self) -> int:
        """Calls that llama.cpp has at the moment, waiting ones included."""
        return self._runtime.running

    async def load(self) -> None:
        """Loads the model now rather than with the first call. Raises EmbeddedUnavailable."""
        await asyncio.to_thread(self._runtime.load)

    async def prepare(self, call: Call[MessagesRequest]) -> "EmbeddedCall":
        """Translates. Raises InvalidRequest for what a small text model cannot do."""
        return EmbeddedCall(self._runtime, to_wire(call), self._new_tool_id)

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        """The exact length of the prompt, the template's own tokens included."""
        prompt = prompt_to_wire(call)
        return len(await _tokenize(self._runtime, prompt))

    async def aclose(self) -> None:
        """Ends what runs, and frees the memory."""
        await asyncio.to_thread(self._runtime.close)


class EmbeddedCall:
    """A translated call."""

    def __init__(self, runtime: Runtime, wire: Wire, new_tool_id: Callable[[], str]) -> None:
        self._runtime = runtime
        self._wire = wire
        self._new_tool_id = new_tool_id
        self._reply: ReplyStream | None = None

    @property
    def usage(self) -> Usage | None:
        """The tokens of the prompt and those generated so far."""
        return self._reply.usage if self._reply is not None else None

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What was left out."""
        return self._wire.adaptations

    async def create(self) -> Reply:
        """The whole reply: the stream's, folded, because only streamed calls can be cancelled."""
        async with aclosing(self.stream()) as events:
            return fold([event async for event in events])

    async def stream(self) -> AsyncGenerator[Event, None]:
        """The reply token by token. Closing the generator ends the generation."""
        self._reply = None  # a try before this one has been counted
        wire = self._wire
        tokens = await _tokenize(self._runtime, wire.prompt)
        limit = self._runtime.context_tokens - 1  # one token of the reply has to fit
        if len(tokens) > limit:
            raise InvalidRequest(f"prompt is too long: {len(tokens)} tokens > {limit} maximum", param="messages")
        reply = self._reply = ReplyStream(wire, len(tokens), self._new_tool_id)
        try:
            body = await self._body(tokens)
            async with aclosing(self._runtime.complete(body)) as chunks:
                async for chunk in chunks:
                    for event in reply.feed(chunk):
                        yield event
                    if reply.done:
                        break
        except GrammarRefused as error:
            assert wire.constraint is not None
            param, why = await self._at_fault(wire.constraint, error)
            raise InvalidRequest(f"{param}: this model cannot be held to the schema: {why}", param=param) from error
        for event in reply.finish():
            yield event

    async def _body(self, tokens: list[int]) -> dict[str, object]:
        body: dict[str, object] = {"prompt": tokens, "return_progress": True}
        if self._wire.constraint is not None:
            body["grammar"] = await self._grammar(self._wire.constraint)
        elif self._wire.prompt.space:
            body["grammar"] = grammar_beginning_with(self._wire.prompt.space)
        return body | dict(self._wire.parameters)

    async def _grammar(self, constraint: Constraint) -> str:
        grammar = self._runtime.grammar(constraint.schema)
        await self._runtime.check_grammar(grammar)
        return grammar

    async def _at_fault(self, constraint: Constraint, error: GrammarRefused) -> tuple[str, GrammarRefused]:
        """The field whose schema is refused, and why: the first part that is refused by itself, else the whole."""
        for part in constraint.parts:
            try:
                await self._grammar(part)
            except GrammarRefused as refused:
                return part.param, refused
        return constraint.param, error


async def _tokenize(runtime: Runtime, prompt: WirePrompt) -> list[int]:
    try:
        if not runtime.loaded:
            await asyncio.to_thread(runtime.load)
        return await runtime.tokenize(prompt.turns, prompt.suffix)
    except EmbeddedUnavailable as error:
        raise UpstreamFailed(str(error)) from error
