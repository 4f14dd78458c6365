"""Token counts: the numbers of the reference implementation, in time that grows with the text and no faster."""

import random
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from megallm.providers.tokens import count_text

# What tiktoken 0.14 itself counts with o200k_base; the second to the fourth stand in OpenAI's cookbook too.
AS_THE_REFERENCE_COUNTS = {
    "": 0,
    "antidisestablishmentarianism": 6,
    "2 + 2 = 4": 7,
    "お誕生日おめでとう": 8,
    "Hello, world!": 4,
    '{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}': 30,
    "def add(a: int, b: int) -> int:\n    return a + b\n": 19,
    "🧠👩‍🚀": 8,
    "Über die Brücke gingen wir'll 1234567 Schritte.": 13,
    "<|endoftext|>": 7,  # text, and not a sign of the model's
    "      \n\n\t  x": 3,
}

MEGABYTE = 1_000_000


def _random_letters(letters: str, count: int) -> str:
    return "".join(random.Random(7).choices(letters, k=count))


# What tokenizers choke on: one enormous word, one enormous gap, no word that occurs twice.
HOSTILE: dict[str, Callable[[], str]] = {
    "letters": lambda: "a" * MEGABYTE,
    "blanks": lambda: " " * MEGABYTE,
    "blanks, then a letter": lambda: " " * (MEGABYTE - 1) + "x",
    "line ends": lambda: "\n" * MEGABYTE,
    "digits": lambda: "1" * MEGABYTE,
    "marks": lambda: "^" * MEGABYTE,
    "ideographs": lambda: "中" * (MEGABYTE // 3),
    "accents without letters": lambda: "\u0301" * (MEGABYTE // 2),
    "one random word": lambda: _random_letters(string.ascii_lowercase, MEGABYTE),
    "random ideographs": lambda: _random_letters("".join(map(chr, range(0x4E00, 0x9FFF))), MEGABYTE // 3),
}


@pytest.mark.parametrize("text", AS_THE_REFERENCE_COUNTS, ids=ascii)
def test_counts_are_those_of_the_reference_implementation(text: str) -> None:
    """Item 6: a real tokenizer, whose numbers an upstream of OpenAI's would bill."""
    assert count_text(text) == AS_THE_REFERENCE_COUNTS[text]


def test_half_of_a_surrogate_pair_counts_as_a_character_that_cannot_be_shown() -> None:
    """JSON's escapes can bring one in; it must not become an error of ours."""
    assert count_text("a \ud83d b") == count_text("a � b")


def test_two_halves_in_a_row_count_as_the_character_that_they_make() -> None:
    """The same text, however its escapes were put together."""
    assert count_text("\ud83e\udde0") == count_text("🧠")


def test_prose_of_800_kb_is_counted_in_half_a_second() -> None:
    """The largest prompts are counted as well: this one has some 200,000 tokens."""
    page = 'He said: "The quick brown fox jumps over the lazy dog."\n' * 14_285
    count_text("the vocabulary is read")

    began = time.process_time()
    tokens = count_text(page)
    took = time.process_time() - began

    assert tokens == 14_285 * 14
    assert took < 0.5


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_megabyte_takes_more_than_a_second(kind: str) -> None:
    """Tokenizers are often quadratic in the length of a word, and one request would hold a server for hours."""
    text = HOSTILE[kind]()
    count_text("the vocabulary is read")

    began = time.process_time()
    tokens = count_text(text)
    took = time.process_time() - began

    assert 0 < tokens < MEGABYTE
    assert took < 1


def test_other_threads_run_while_a_long_text_is_counted() -> None:
    """A server counts in a thread, and its streams go on meanwhile."""
    count_text("the vocabulary is read")
    text = HOSTILE["one random word"]()
    over, counts = threading.Event(), 0

    def count() -> None:
        nonlocal counts
        while not over.is_set():
            count_text(text)
            counts += 1

    counting = threading.Thread(target=count)
    counting.start()
    steps = at = 0  # within one count: a thread that had to wait for its end would have one or two
    while steps <= 10 and counts < 20:
        time.sleep(0.002)
        steps, at = (steps + 1 if counts == at else 0), counts
    over.set()
    counting.join()

    assert steps > 10


@pytest.mark.slow
def test_nothing_of_it_is_loaded_before_it_is_needed() -> None:
    """Half a second and 60 MB: a cold start that counts nothing does not pay for it."""
    script = (
        "import sys; from megallm.providers.tokens import count_text; assert 'toktok' not in sys.modules;"
        "print(count_text('Hello, world!'))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=180, check=True)

    assert done.stdout.split() == ["4"]
