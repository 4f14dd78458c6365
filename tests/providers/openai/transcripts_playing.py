"""Plays transcripts of chat-completions servers to the reading side of the provider."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from megallm.errors import GatewayError
from megallm.messages.events import Event, Reply
from megallm.messages.fold import fold
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.reply import events_from_wire, from_wire
from megallm.providers.openai.stream import ReplyStream

INPUT_ESTIMATE = 9


def expected(*stop_sequences: str, prefill: str = "") -> Expected:
    """What a request says that has nothing special; ids made by us are toolu_1, toolu_2 …"""
    numbers = itertools.count(1)
    return Expected(
        route="chat/m",
        sign=lambda route, thinking: f"{route}: {thinking}",
        new_tool_id=lambda: f"toolu_{next(numbers)}",
        tool_names={},
        stop_sequences=stop_sequences,
        input_estimate=INPUT_ESTIMATE,
        prefill=prefill,
    )


@dataclass(frozen=True, slots=True)
class Played:
    """What came of some bytes: the events while they came, those of the end, and the error in their place."""

    events: tuple[Event, ...]
    closing: tuple[Event, ...] = ()
    error: tuple[type[GatewayError], str] | None = None

    @property
    def all(self) -> tuple[Event, ...]:
        return self.events + self.closing


def play(pieces: Iterable[bytes], reading: Expected | None = None) -> Played:
    """Feeds the pieces as a provider does, until nothing further counts, and ends the body."""
    stream = ReplyStream(reading or expected())
    events: list[Event] = []
    for piece in pieces:
        events += stream.feed(piece)
        if stream.done:
            break
    try:
        return Played(tuple(events), tuple(stream.finish()))
    except GatewayError as error:
        return Played(tuple(events), error=(type(error), error.message))


def read(completion: bytes, reading: Expected) -> Reply | tuple[type[GatewayError], str]:
    """What comes of the body of a whole completion: the reply, or the error in its place."""
    return _outcome(lambda: from_wire(completion, reading))


def read_as_events(completion: bytes, reading: Expected) -> Reply | tuple[type[GatewayError], str]:
    """The same, read as the stream that it would have been."""
    return _outcome(lambda: fold(events_from_wire(completion, reading)))


def _outcome(reply: Callable[[], Reply]) -> Reply | tuple[type[GatewayError], str]:
    try:
        return reply()
    except GatewayError as error:
        return type(error), error.message
