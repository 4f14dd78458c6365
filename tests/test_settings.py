"""Settings come from the environment, and a slip in it is told."""

import pytest

from megallm.settings import BrokenSettings, Settings


def test_variables_become_typed_settings() -> None:
    """Text in, numbers and truth values out; other variables are none of our business."""
    environ = {"MEGALLM_STRICT": "true", "MEGALLM_KEY_CACHE_SECONDS": "5", "PATH": "/bin", "MEGALLM_API_KEY": "mega_x"}

    assert Settings.from_environ(environ) == Settings(strict=True, key_cache_seconds=5.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MEGALLM_STRICKT", "1", "MEGALLM_STRICKT is an unknown setting; did you mean MEGALLM_STRICT?"),
        ("MEGALLM_CATALOGUE", "x", "MEGALLM_CATALOGUE is an unknown setting; did you mean MEGALLM_CATALOG?"),
        (
            "MEGALLM_MAX_BODY_BYTES",
            "6 MB",
            "MEGALLM_MAX_BODY_BYTES: Input should be a valid integer, unable to parse string as an integer",
        ),
    ],
)
def test_an_unknown_or_invalid_variable_is_named(name: str, value: str, message: str) -> None:
    """A typo must not pass in silence."""
    with pytest.raises(BrokenSettings) as caught:
        Settings.from_environ({name: value})

    assert str(caught.value) == message


def test_a_variable_like_no_setting_is_answered_with_all_that_there_are() -> None:
    """Those of the same prefix that others read are known too."""
    with pytest.raises(BrokenSettings) as caught:
        Settings.from_environ({"MEGALLM_NOPE": "1"})

    told, _, listed = str(caught.value).partition("; there are ")
    assert told == "MEGALLM_NOPE is an unknown setting"
    assert {"MEGALLM_STRICT", "MEGALLM_MODELS_DIR", "MEGALLM_API_KEY"} < set(listed.split(", "))


def test_the_settings_of_batches_have_their_units() -> None:
    """As the stack sets them; what it does not set has its default."""
    environ = {
        "MEGALLM_BATCHES_TABLE": "t",
        "MEGALLM_BATCHES_BUCKET": "b",
        "MEGALLM_INTAKE_QUEUE_URL": "i",
        "MEGALLM_WORK_QUEUE_URL": "w",
        "MEGALLM_FINISH_QUEUE_URL": "f",
        "MEGALLM_BATCH_TOKENS_PER_MINUTE": "5000",
        "MEGALLM_EVENT_BUS": "default",
    }

    settings = Settings.from_environ(environ)

    assert settings == Settings(
        batches_table="t",
        batches_bucket="b",
        intake_queue_url="i",
        work_queue_url="w",
        finish_queue_url="f",
        batch_tokens_per_minute=5000,
        event_bus="default",
    )
    assert (settings.batch_concurrency, Settings().batches_table, Settings().batches_bucket) == (
        64,
        "megallm-batches",
        None,
    )
