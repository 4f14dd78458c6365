"""The tiers' numbers, and the operator's own file of them."""

from pathlib import Path

import pytest

from megallm.keys import Caller, Limits
from megallm.limits.tiers import BrokenTiers, load

OWN = """
[basic]
requests_per_minute = 5
tokens_per_minute = 6
concurrent = 7
[pro]
requests_per_minute = 8
tokens_per_minute = 9
concurrent = 10
[enterprise]
requests_per_minute = 11
tokens_per_minute = 12
concurrent = 13
"""


def test_the_tiers_are_what_the_documentation_says() -> None:
    """Section 1 of the contract."""
    tiers = load()

    assert (tiers.of_tier("basic"), tiers.of_tier("pro")) == (Limits(50, 100_000, 10), Limits(200, 400_000, 40))


def test_a_keys_own_numbers_stand_before_its_tiers() -> None:
    """An enterprise key has some."""
    own = Limits(1, 2, 3)

    assert load().of(Caller("abcdefgh", "enterprise", own)) == own
    assert load().of(Caller("abcdefgh", "basic")) == Limits(50, 100_000, 10)


def test_an_operator_can_have_other_tiers(tmp_path: Path) -> None:
    """A file of the same shape."""
    file = tmp_path / "tiers.toml"
    file.write_text(OWN)

    tiers = load(file)

    assert [tiers.of_tier(tier) for tier in ("basic", "pro", "enterprise")] == [
        Limits(5, 6, 7),
        Limits(8, 9, 10),
        Limits(11, 12, 13),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[basic", "Expected ']'"),
        (OWN.replace("concurrent = 7", "concurrent = 0"), "basic.concurrent: Input should be greater than"),
        (OWN.replace("concurrent = 7", 'concurrent = "7"'), "basic.concurrent: Input should be a valid integer"),
        (OWN.replace("[pro]", "[gold]"), "pro: Field required; gold: Extra inputs are not permitted"),
        (OWN.replace("concurrent = 7\n", ""), "basic.concurrent: Field required"),
    ],
)
def test_a_broken_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """Before any request is served with it."""
    file = tmp_path / "tiers.toml"
    file.write_text(text)

    with pytest.raises(BrokenTiers) as caught:
        load(file)

    assert str(caught.value).startswith(f"{file}: ")
    assert told in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(BrokenTiers, match="nonesuch"):
        load(tmp_path / "nonesuch.toml")
