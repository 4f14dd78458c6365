"""Options: their defaults, and how they are refused by name."""

import pytest

from megallm.batches.model import Job
from megallm.batches.options import (
    MessagesOptions,
    SummarizeOptions,
    TranslateOptions,
    job_of,
    max_microdollars,
    options_of,
    options_of_metadata,
)
from megallm.errors import InvalidRequest


def refused(task: str, options: dict[str, object]) -> tuple[str, str | None]:
    """What is said, and of which option."""
    with pytest.raises(InvalidRequest) as raised:
        job_of(task, options)
    return raised.value.message, raised.value.param


def test_a_job_holds_every_option_so_that_it_does_not_change_with_the_defaults() -> None:
    """As JSON values, which the batch's record keeps."""
    assert job_of("translate", {"target_language_codes": ["pt-br"], "max_cost": 2}) == Job(
        "translate",
        {
            "max_attempts": 3,
            "max_cost": 2.0,
            "dry_run": False,
            "client_token": None,
            "id_field": None,
            "model": None,
            "max_tokens": None,
            "text_fields": ["text"],
            "source_language_code": "auto",
            "target_language_codes": ["pt-BR"],
        },
    )


@pytest.mark.parametrize(
    ("task", "options", "shape"),
    [
        ("messages", {"client_token": "a"}, MessagesOptions),
        ("summarize", {"style": "eli5", "text_fields": ["a", "b"]}, SummarizeOptions),
        ("translate", {"target_language_codes": ["es"], "source_language_code": "EN"}, TranslateOptions),
    ],
)
def test_a_job_made_of_a_jobs_options_is_the_job_again(task: str, options: dict[str, object], shape: type) -> None:
    """Which is how it is read back."""
    job = job_of(task, options)

    assert job_of(job.task, job.options) == job
    assert isinstance(options_of(job), shape)


@pytest.mark.parametrize(
    ("task", "options", "message", "param"),
    [
        ("dance", {}, "task: 'dance' is none; there are summarize, translate, messages", "task"),
        (
            "summarize",
            {"max_costs": 1},
            "max_costs: no such option of summarize; there are max_attempts, max_cost, dry_run, client_token, "
            "id_field, model, max_tokens, text_fields, style",
            "max_costs",
        ),
        (
            "summarize",
            {"style": "haiku"},
            "style: 'haiku' is none of 'bullet_points', 'paragraph', 'executive' or 'eli5'",
            "style",
        ),
        ("translate", {}, "target_language_codes is required", "target_language_codes"),
        (
            "translate",
            {"target_language_codes": ["spanish"]},
            "target_language_codes.0: 'spanish' is no language code of ours; did you mean es?",
            "target_language_codes.0",
        ),
        (
            "translate",
            {"target_language_codes": ["es"], "source_language_code": "xx"},
            "source_language_code: 'xx' is no language code of ours; it should be one of BCP 47, such as es, ja or "
            "pt-BR",
            "source_language_code",
        ),
        (
            "translate",
            {"target_language_codes": ["es", "fr"]},
            "target_language_codes: Tuple should have at most 1 item after validation, not 2",
            "target_language_codes",
        ),
        ("messages", {"max_attempts": 0}, "max_attempts: Input should be greater than or equal to 1", "max_attempts"),
        ("messages", {"max_attempts": "3"}, "max_attempts: Input should be a valid integer", "max_attempts"),
        ("messages", {"max_cost": -1}, "max_cost: Input should be greater than 0", "max_cost"),
        ("messages", {"dry_run": "yes"}, "dry_run: Input should be a valid boolean", "dry_run"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(task: str, options: dict[str, object], message: str, param: str) -> None:
    """With what is allowed there."""
    assert refused(task, options) == (message, param)


@pytest.mark.parametrize(("dollars", "microdollars"), [(None, None), (2.5, 2_500_000), (1e-9, 1)])
def test_the_most_that_a_batch_may_cost_is_kept_in_microdollars(
    dollars: float | None, microdollars: int | None
) -> None:
    """The smallest sum is not rounded to no limit at all."""
    assert max_microdollars(job_of("messages", {"max_cost": dollars})) == microdollars


def test_metadata_of_an_object_gives_options_as_text() -> None:
    """S3 keeps text alone; both spellings of names are read."""
    options = options_of_metadata(
        {
            "max-cost": "2.5",
            "max_attempts": " 5",
            "Megallm-Dry-Run": "TRUE",
            "text-fields": "title, body",
            "model": "claude-sonnet-4",
            "mtime": "1763800000",
        }
    )

    assert options == {
        "max_cost": 2.5,
        "max_attempts": 5,
        "dry_run": True,
        "text_fields": ["title", "body"],
        "model": "claude-sonnet-4",
    }


def test_metadata_that_is_meant_for_us_is_refused_where_it_is_unknown_or_wrong() -> None:
    """Other programs' metadata is not ours to judge."""
    assert refused("messages", options_of_metadata({"megallm-max-costs": "1"}))[1] == "max_costs"
    assert refused("messages", options_of_metadata({"max-cost": "much"}))[1] == "max_cost"
    assert refused("messages", options_of_metadata({"dry-run": "1"}))[1] == "dry_run"
    assert options_of_metadata({"max-costs": "1"}) == {}
