"""What is true of every reply, whichever chat-completions server streamed it, and wherever its bytes were cut."""

import re
from functools import cache

import pytest

from megallm.errors import UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import JsonObject, Reply
from megallm.messages.fold import fold
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.reply import events_from_wire, from_wire
from tests.legality import assert_legal
from tests.providers.openai import transcripts_replies
from tests.providers.openai.transcripts_playing import Played, expected, play, read, read_as_events
from tests.providers.openai.transcripts_whole import whole
from tests.transcripts import load, names

FOLDER = "chat_completions"
STREAMS = names(FOLDER, ".sse")
FAILED = (UpstreamFailed, "The model's provider failed")
DEATHS = {
    f"{FOLDER}/deepseek_no_resources.sse": (UpstreamOverloaded, "The upstream broke off its reply"),
    f"{FOLDER}/litellm_death.sse": FAILED,
    f"{FOLDER}/openai_error.sse": FAILED,
    f"{FOLDER}/openrouter_error.sse": FAILED,
    f"{FOLDER}/vllm_error.sse": FAILED,
}
REPLIES = [name for name in STREAMS if name not in DEATHS]
BROKEN_OFF = (UpstreamFailed, "The upstream ended before its reply was whole")
STOPS = {f"{FOLDER}/llama.cpp_stop_told.sse": "e", f"{FOLDER}/vllm_stop_told.sse": "three"}
# A second sequence that hits nearly everywhere, so that streams which we cut ourselves obey the same laws.
READINGS = ("as asked", "with a stop sequence")


def reading(name: str, kind: str) -> Expected:
    sequences = (STOPS[name],) if name in STOPS else ()
    return expected(*sequences, *(("i",) if kind == READINGS[1] else ()))


@cache
def played_whole(name: str, kind: str) -> Played:
    return play([load(name).body], reading(name, kind))


def finish_reason_ends(body: bytes) -> int:
    """Where the event ends that has the first finish_reason: with its blank line, of which a CR is enough."""
    found = re.search(rb'"finish_reason":\s?"[a-z_]+".*?(\n\n|\n\r)', body, re.DOTALL)
    assert found is not None
    return found.end()


def cuts(body: bytes) -> list[int]:
    """Every byte boundary, but of a long body a third of those that are not close to a line end."""
    near = {at + step for at, letter in enumerate(body) if letter == 10 for step in range(-2, 4)}
    return [at for at in range(1, len(body)) if len(body) < 2_500 or at % 3 == 0 or at in near]


@pytest.mark.parametrize("name", REPLIES)
def test_a_streamed_reply_says_what_the_server_said(name: str) -> None:
    """Blocks, reason and usage, each transcript (C11, C14, C15, C26, C27)."""
    short = name.removeprefix(f"{FOLDER}/").removesuffix(".sse")

    assert fold(played_whole(name, READINGS[0]).all) == transcripts_replies.REPLIES[short]


@pytest.mark.parametrize("kind", READINGS)
@pytest.mark.parametrize("name", STREAMS)
def test_every_beginning_of_the_events_is_legal(name: str, kind: str) -> None:
    """C25."""
    played = played_whole(name, kind)

    assert_legal(played.all, whole=played.error is None)


@pytest.mark.parametrize("kind", READINGS)
@pytest.mark.parametrize("name", STREAMS)
def test_byte_by_byte_gives_the_same_events(name: str, kind: str) -> None:
    """The finest of all cuts (C31)."""
    body = load(name).body

    assert play((body[at : at + 1] for at in range(len(body))), reading(name, kind)) == played_whole(name, kind)


# Every cut runs the same branches once more: measuring their coverage would take minutes and show nothing.
EVERY_CUT = pytest.mark.no_cover


@EVERY_CUT
@pytest.mark.parametrize("name", STREAMS)
def test_one_cut_anywhere_gives_the_same_events(name: str) -> None:
    """At the byte boundaries (C31)."""
    body, known = load(name).body, played_whole(name, READINGS[0])

    for at in cuts(body):
        assert play([body[:at], body[at:]], reading(name, READINGS[0])) == known


@EVERY_CUT
@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_cut_off_anywhere_is_an_error_until_its_finish_reason_came(name: str) -> None:
    """Never an invented end_turn; and what comes until then is a beginning of the whole reply's events (C28)."""
    body, known = load(name).body, played_whole(name, READINGS[0])
    whole_from = finish_reason_ends(body)

    for length in cuts(body):
        played = play([body[:length]], reading(name, READINGS[0]))

        assert played.error == (BROKEN_OFF if length < whole_from else None)
        assert played.events == known.events[: len(played.events)]
        assert_legal(played.all, whole=played.error is None)


@pytest.mark.parametrize("name", DEATHS)
def test_an_upstream_that_died_has_died_wherever_its_last_words_are_cut(name: str) -> None:
    """The error is the one that it tells of, once that is whole (C28)."""
    body = load(name).body

    errors = [play([body[:length]], reading(name, READINGS[0])).error for length in range(len(body) + 1)]

    assert set(errors) == {BROKEN_OFF, DEATHS[name]}
    assert played_whole(name, READINGS[0]).error == DEATHS[name]


@pytest.mark.parametrize("kind", READINGS)
@pytest.mark.parametrize("name", REPLIES)
def test_streamed_and_folded_is_what_comes_unstreamed(name: str, kind: str) -> None:
    """The whole completion is put together from the stream's own chunks (C31)."""
    body = load(name).body
    streamed = fold(played_whole(name, kind).all)

    unstreamed = from_wire(whole(body), reading(name, kind))

    if unstreamed.stop_reason == "stop_sequence" and name not in STOPS:
        # The stream was closed before it told its usage.
        streamed, unstreamed = said(streamed), said(unstreamed)
    assert streamed == unstreamed


@pytest.mark.parametrize("name", [name for name in REPLIES if name.replace(".sse", ".json") in names(FOLDER, ".json")])
def test_both_ways_of_asking_a_server_give_the_same_reply(name: str) -> None:
    """What it sent when it was asked for a stream, and what it sent when not: ids and caching aside (C31)."""
    streamed = fold(played_whole(name, READINGS[0]).all)

    unstreamed = from_wire(load(name.replace(".sse", ".json")).body, reading(name, READINGS[0]))

    assert said(streamed) == said(unstreamed)
    assert (streamed.usage.prompt_tokens, streamed.usage.output_tokens) == (
        unstreamed.usage.prompt_tokens,
        unstreamed.usage.output_tokens,
    )


@pytest.mark.parametrize("kind", READINGS)
def test_a_whole_completion_is_the_reply_that_its_events_fold_to(kind: str) -> None:
    """Also where it is read the shorter way: those put together from streams, and those that servers sent whole."""
    bodies = {name: whole(load(name).body) for name in REPLIES} | {
        name: load(name).body for name in names(FOLDER, ".json")
    }

    for name, body in bodies.items():
        assert read(body, reading(name, kind)) == read_as_events(body, reading(name, kind))


@pytest.mark.parametrize("name", REPLIES)
def test_the_events_of_a_whole_completion_are_a_legal_stream(name: str) -> None:
    """They go to a client that asked for a stream, where the server gave none."""
    assert_legal(events_from_wire(whole(load(name).body), reading(name, READINGS[0])), whole=True)


def said(reply: Reply) -> Reply:
    """A reply without what differs from call to call: ids of calls and tokens."""
    content: tuple[JsonObject, ...] = tuple(
        {key: value for key, value in block.items() if key != "id"} for block in reply.content
    )
    return Reply(content, reply.stop_reason, type(reply.usage)(), reply.stop_sequence, reply.stop_details)
