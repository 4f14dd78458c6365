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
        ("MEGALLM_STRICKT", "1", "MEGALLM_STRICKT: Extra inputs are not permitted"),
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
