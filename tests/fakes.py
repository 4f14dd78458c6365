"""Test doubles of the seams: a provider that plays a script, a key store in memory, a catalogue of two models."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from megallm.catalog.file_format import parse
from megallm.catalog.models import Catalog
from megallm.composition import assemble
from megallm.errors import GatewayError
from megallm.keys import Caller, KeyRecord, Limits, Tier, hash_of
from megallm.limits.ledger import Used
from megallm.limits.unlimited import Unlimited
from megallm.messages.builder import BlockBuilder
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import (
    Event,
    MessageDelta,
    MessageStart,
    Relayed,
    Reply,
    StopReason,
    StreamEvent,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.gateway import Gateway
from megallm.operations.ports import Limiter, PreparedCall
from megallm.operations.retry import RetryPolicy
from megallm.settings import Settings

KEY = "mega_abcdefgh_" + "s" * 43
KEY_RECORD = KeyRecord("abcdefgh", hash_of(KEY), "test", "basic", created_at=1_700_000_000)

CATALOG = """
[providers.scripted]
kind = "embedded"

[defaults]
routes = [{ provider = "scripted", model = "upstream-model" }]
context_tokens = 200000
max_output_tokens = 64000

[[models]]
id = "claude-test-2"
display_name = "Test 2"
released = 2026-05-01
aliases = ["claude-test"]

[[models]]
id = "claude-test-1"
display_name = "Test 1"
lifecycle = "deprecated"
"""


def catalog() -> Catalog:
    """Two models, both answered by the scripted provider."""
    return parse(CATALOG, source="tests")


class MemoryKeys:
    """A ``KeyStore`` in a dict, which counts its look-ups."""

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.reads = 0

    def get(self, key_id: str) -> KeyRecord | None:
        self.reads += 1
        return self.records.get(key_id)

    def add(self, record: KeyRecord) -> bool:
        return self.records.setdefault(record.id, record) is record

    def put(self, record: KeyRecord) -> None:
        self.records[record.id] = record

    def revoke(self, key_id: str, at: int) -> KeyRecord | None:
        record = self.records.get(key_id)
        if record is None:
            return None
        if record.revoked_at is None:
            record = self.records[key_id] = replace(record, revoked_at=at)
        return record

    def set_tier(self, key_id: str, tier: Tier, limits: Limits | None) -> KeyRecord | None:
        record = self.records.get(key_id)
        if record is None:
            return None
        record = self.records[key_id] = replace(record, tier=tier, limits=limits)
        return record

    def list(self) -> Iterator[KeyRecord]:
        yield from self.records.values()


@dataclass
class Pause:
    """A point of a script at which the upstream waits until it is let go on."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Cancelled:
    """A point of a script at which something that the upstream waits for is cancelled."""


Step = StreamEvent | Pause | Cancelled | GatewayError | Exception


SMALL_USAGE = Usage(input_tokens=7, output_tokens=3)


def text_reply(*pieces: str, usage: Usage = SMALL_USAGE, stop_reason: StopReason = "end_turn") -> list[Event]:
    """The events of a reply of one text block, a delta a piece."""
    builder = BlockBuilder()
    events = builder.start(Usage(input_tokens=usage.input_tokens))
    for piece in pieces:
        events += builder.text(piece)
    return events + builder.finish(stop_reason, usage)


class ScriptedProvider:
    """Plays the same script for every call, or *then* in turn from the second on; remembers calls and their ends."""

    def __init__(
        self,
        script: Sequence[Step] | Callable[[Call[MessagesRequest]], Sequence[Step]] = (),
        *,
        then: Sequence[Sequence[Step]] = (),
        adaptations: Sequence[Adaptation] = (),
        tokens: int | GatewayError = 12,
        refusal: GatewayError | None = None,
    ) -> None:
        self.script = script or text_reply("Hello", ", ", "world")
        self.then = tuple(then)
        self.adaptations = tuple(adaptations)
        self.tokens = tokens
        self.refusal = refusal
        self.calls: list[Call[MessagesRequest]] = []
        self.played = 0
        self.running = 0
        self.cancelled = 0
        self.closed = False

    async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal
        script = self.script(call) if callable(self.script) else self.script
        return _ScriptedCall(self, script)

    async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
        if isinstance(self.tokens, GatewayError):
            raise self.tokens
        return self.tokens

    async def aclose(self) -> None:
        self.closed = True


class _ScriptedCall:
    def __init__(self, provider: ScriptedProvider, script: Sequence[Step]) -> None:
        self._provider = provider
        self._script = script
        self.adaptations = provider.adaptations
        self.usage: Usage | None = None

    async def create(self) -> Reply:
        return fold([event async for event in self.stream() if not isinstance(event, Relayed)])

    def _count(self, event: StreamEvent) -> None:
        """A delta counts as a token, until the script says how many there were."""
        match event:
            case MessageStart(usage=usage) | MessageDelta(usage=usage):
                self.usage = usage
            case TextDelta() if self.usage is not None:
                self.usage = replace(self.usage, output_tokens=self.usage.output_tokens + 1)
            case _:
                pass

    async def stream(self) -> AsyncGenerator[StreamEvent, None]:
        again = self._provider.then[: self._provider.played][-1:]
        self._provider.played += 1
        self._provider.running += 1
        try:
            for step in again[0] if again else self._script:
                match step:
                    case Pause():
                        step.reached.set()
                        await step.released.wait()
                    case Cancelled():
                        raise asyncio.CancelledError  # noqa: TRY301  it comes from below, as it would in a provider
                    case Exception():
                        raise step
                    case _:
                        self._count(step)
                        yield step
        except (asyncio.CancelledError, GeneratorExit):
            self._provider.cancelled += 1
            raise
        finally:
            self._provider.running -= 1


class RecordingLimiter:
    """Lets everything in, and remembers what was reserved and what was settled."""

    def __init__(self) -> None:
        self.admitted: list[tuple[str, int]] = []
        self.settled: list[Usage | None] = []
        self.counted: list[Used | None] = []
        self.settling = asyncio.Event()
        self.headers: Mapping[str, str] = {"limit": "seen"}

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> "RecordingLimiter":
        self.admitted.append((caller.key_id, estimated_input_tokens))
        return self

    async def settle(self, usage: Usage | None, used: Used | None = None) -> None:
        self.settling.set()
        for _ in range(3):  # as long as a network call: a cancellation finds it in the middle
            await asyncio.sleep(0)
        self.settled.append(usage)
        self.counted.append(used)

    async def aclose(self) -> None:
        """Nothing is open."""


def gateway(
    provider: ScriptedProvider | None = None,
    *,
    keys: MemoryKeys | None = None,
    settings: Settings | None = None,
    limiter: Limiter | None = None,
    tries: int = 1,
) -> Gateway:
    """A gateway over the fakes; ``KEY`` opens it. It tries a call once, unless told otherwise, and never waits."""
    composed = assemble(
        settings or Settings(),
        keys if keys is not None else MemoryKeys(KEY_RECORD),
        catalog(),
        {"scripted": provider or ScriptedProvider()},
        limiter or Unlimited(),
    )
    return replace(composed, retry=RetryPolicy(tries=tries, base_seconds=0))


def routed_gateway(
    providers: Mapping[str, ScriptedProvider], *, settings: Settings | None = None, tries: int = 1
) -> Gateway:
    """A gateway whose model ``claude-test`` has these providers as its routes, in their order."""
    routes = ", ".join(f'{{ provider = "{name}", model = "m" }}' for name in providers)
    tables = "".join(f'[providers.{name}]\nkind = "embedded"\n' for name in providers)
    text = f'{tables}[[models]]\nid = "claude-test"\ndisplay_name = "Test"\nroutes = [{routes}]\n'
    composed = assemble(
        settings or Settings(), MemoryKeys(KEY_RECORD), parse(text, source="tests"), providers, Unlimited()
    )
    return replace(composed, retry=RetryPolicy(tries=tries, base_seconds=0))
