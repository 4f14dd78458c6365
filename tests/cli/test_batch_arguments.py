"""What a user may ask for in `megallm batch submit`."""

import pytest
import typer

from megallm.batches.options import job_of
from megallm.cli.batch_arguments import checked_job


def test_what_is_asked_becomes_the_job() -> None:
    """As a drop or a job message with these options would be."""
    options = {"target_language_codes": ["es"], "max_cost": 2.5}

    assert checked_job("translate", options) == job_of("translate", options)


@pytest.mark.parametrize(
    ("task", "options", "told"),
    [
        ("sing", {}, "task: 'sing' is none; there are summarize, translate, messages"),
        ("summarize", {"style": "haiku"}, "style: 'haiku' is none of 'bullet_points', 'paragraph'"),
        ("summarize", {"target_language_codes": ["es"]}, "--to: no such option of summarize"),
        ("translate", {}, "--to is required"),
        ("translate", {"target_language_codes": ["klingonese-"]}, "--to: "),
        ("translate", {"target_language_codes": ["es"], "source_language_code": "?"}, "--from: "),
        ("messages", {"max_cost": -1.0}, "max_cost: Input should be greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_in_the_words_of_the_command(
    task: str, options: dict[str, object], told: str
) -> None:
    """It names the option as the user typed it."""
    with pytest.raises(typer.BadParameter) as raised:
        checked_job(task, options)

    assert raised.value.message.startswith(told)
