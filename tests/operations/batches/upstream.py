"""An upstream for the tests of batches: it outlives the processes that call it, and remembers every call."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from megallm.catalog.file_format import parse
from megallm.composition import assemble
from megallm.errors import GatewayError
from megallm.limits.unlimited import Unlimited
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Reply, StreamEvent, Usage
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.gateway import Gateway
from megallm.settings import Settings
from tests.batch_fakes import Crash, Process
from tests.fakes import KEY_RECORD, MemoryKeys

CATALOG = """
[providers.upstream]
kind = "embedded"

[defaults]
routes = [{ provider = "upstream", model = "m" }]
context_tokens = 200000
max_output_tokens = 64000

[[models]]
id = "priced"
display_name = "Priced"
prices = { input = 2.0, output = 10.0 }
aliases = ["claude-3.5-sonnet"]

[[models]]
id = "unpriced"
display_name = "Unpriced"
"""


Answer = Callable[[str, int], "Reply | GatewayError"]


def echo(text: str, nth: int) -> Reply:
    """The same text for the same text; seven tokens in, three out."""
    return Reply(({"type": "text", "text": f"re: {text}"},), "end_turn", Usage(input_tokens=7, output_tokens=3))


@dataclass
class Upstream:
    """What is called, whatever process calls it: it remembers every call, by the text of its last message."""

    answer: Answer = echo
    adaptations: tuple[Adaptation, ...] = ()
    seconds: float | Callable[[], float] = 0.0
    calls: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    cancelled: int = 0
    _by_text: Counter[str] = field(default_factory=Counter)

    def called(self, text: str) -> None:
        """One more call."""
        self.calls.append(text)
        self._by_text[text] += 1

    def answered(self, text: str) -> Reply | GatewayError:
        """The answer to the latest call for this text."""
        return self.answer(text, self._by_text[text])

    def gateway(self, process: Process | None = None) -> Gateway:
        """A gateway of that process, whose every model is answered here."""
        provider = _Provider(self, process or Process())
        return assemble(
            Settings(),
            MemoryKeys(KEY_RECORD),
            parse(CATALOG, source="tests"),
            {"upstream": provider},
            Unlimited(),
        )


class _Provider:
    def __init__(self, upstream: Upstream, process: Process) -> None:
        self._upstream = upstream
        self._process = process

    async def prepare(self, call: Call[MessagesRequest]) -> "_Call":
        return _Call(self._upstream, self._process, call.request)

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Nothing is open."""


class _Call:
    def __init__(self, upstream: Upstream, process: Process, request: MessagesRequest) -> None:
        self.adaptations = upstream.adaptations
        self._upstream = upstream
        self._process = process
        content = request.messages[-1].content
        assert isinstance(content, str)
        self._text = content
        self.usage: Usage | None = None

    async def create(self) -> Reply:
        upstream = self._upstream
        self._process.check()
        upstream.called(self._text)
        upstream.in_flight += 1
        upstream.most_in_flight = max(upstream.most_in_flight, upstream.in_flight)
        try:
            await asyncio.sleep(upstream.seconds if isinstance(upstream.seconds, float) else upstream.seconds())
        except asyncio.CancelledError:
            upstream.cancelled += 1
            raise
        finally:
            upstream.in_flight -= 1
        self._process.check()
        try:
            answer = upstream.answered(self._text)
        except Crash:
            self._process.dead = True
            raise
        if isinstance(answer, GatewayError):
            self.usage = getattr(answer, "usage", None)
            raise answer
        self.usage = answer.usage
        return answer

    def stream(self) -> AsyncGenerator[StreamEvent, None]:
        raise NotImplementedError
