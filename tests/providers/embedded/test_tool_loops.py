"""When a small model is told to answer: it would go on calling the same tool."""

import pytest

from megallm.providers.embedded.prompt import Piece
from megallm.providers.embedded.tool_loops import ANSWER_NOW
from megallm.providers.embedded.wire import prompt_to_wire, to_wire

from .asking import SEARCH, WEATHER, call_of

QUESTION: dict[str, object] = {"role": "user", "content": "Paris?"}
TOLD = Piece(f"\n{ANSWER_NOW}", markup=True)


def step(*calls: tuple[str, str], first_id: int = 1, beside: str = "") -> list[dict[str, object]]:
    """The turn with these calls (tool, city), and the turn with their results, perhaps with text beside them."""
    uses = [
        {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"city": city}}
        for number, (name, city) in enumerate(calls, start=first_id)
    ]
    results: list[dict[str, object]] = [
        {"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"} for use in uses
    ]
    texts: list[dict[str, object]] = [{"type": "text", "text": beside}] if beside else []
    return [{"role": "assistant", "content": uses}, {"role": "user", "content": results + texts}]


REPEATED = [*step(("get_weather", "Paris")), *step(("get_weather", "Paris"), first_id=2)]


def is_told(messages: list[dict[str, object]], **fields: object) -> bool:
    """Whether the prompt ends in the sentence."""
    return to_wire(call_of(messages, **fields)).prompt.turns[-1].pieces[-1] == TOLD


WORD: dict[str, object] = {"role": "system", "content": "Mind the time of day."}


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([QUESTION], False),
        ([QUESTION, *step(("get_weather", "Paris"))], False),
        ([QUESTION, *step(("get_weather", "Paris"), ("search_web", "Paris"))], False),
        ([QUESTION, *step(("get_weather", "Paris")), *step(("search_web", "Paris"), first_id=2)], False),
        ([QUESTION, *step(("get_weather", "Paris")), *step(("get_weather", "Paris"), first_id=2)], True),
        ([QUESTION, *step(("get_weather", "Paris")), *step(("get_weather", "Rome"), first_id=2)], False),
        ([QUESTION, *step(("get_weather", "Paris"), beside="Hm?"), *step(("get_weather", "Paris"), first_id=2)], False),
        ([QUESTION, *REPEATED[:2], *step(("get_weather", "Paris"), first_id=2, beside="And now?")], False),
        ([QUESTION, *REPEATED[:2], REPEATED[2], WORD, REPEATED[3]], False),
    ],
    ids=[
        "no-call",
        "one-of-two",
        "both-at-once",
        "both",
        "repeated",
        "other-input",
        "asked-again",
        "text-beside",
        "word-between",
    ],
)
def test_the_model_is_told_to_answer_once_it_repeats_a_call(messages: list[dict[str, object]], told: bool) -> None:
    """While a chain may go on, of one tool or of several, it is left alone."""
    assert is_told(messages, tools=[WEATHER, SEARCH]) is told


def test_the_sentence_is_counted_like_all_of_the_prompt() -> None:
    """It is markup: the gateway's own."""
    call = call_of([QUESTION, *REPEATED], tools=[WEATHER])

    prompt = to_wire(call).prompt

    assert prompt.turns[-1].pieces[-1] == TOLD
    assert prompt_to_wire(call) == prompt


@pytest.mark.parametrize("choice", [{"type": "none"}, {"type": "any"}])
def test_only_a_model_that_chooses_is_told(choice: dict[str, str]) -> None:
    """One that cannot call answers anyway, and one that must call is to."""
    assert not is_told([QUESTION, *REPEATED], tools=[WEATHER], tool_choice=choice)
