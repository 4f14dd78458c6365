"""Signatures of thinking: who produced it, that nobody changed it, and that a secret can be replaced (C15)."""

import pytest

from megallm.messages.signatures import Signer, is_ours

OLD, NEW = Signer([b"old"]), Signer([b"new", b"old"])


def test_a_signature_names_the_route_that_thought() -> None:
    """And only for this very text."""
    signature = OLD.sign("vllm/qwen", "Hm, ünïcode.")

    assert OLD.route_of(signature, "Hm, ünïcode.") == "vllm/qwen"
    assert OLD.route_of(signature, "Hm, unicode.") is None


def test_a_replaced_secret_is_still_accepted() -> None:
    """The new one signs; who knows the old one alone does not believe it."""
    assert NEW.route_of(OLD.sign("r", "t"), "t") == "r"
    assert OLD.route_of(NEW.sign("r", "t"), "t") is None


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "EqQBCgIYAhIM",
        "megallm1",
        "megallm1.cg==",
        "megallm1.cg==.AAAA",
        "megallm1.!.!",
        "megallm1._w==._w==",
        "megallm2." + OLD.sign("r", "t").partition(".")[2],
    ],
)
def test_a_signature_that_is_not_ours_names_nobody(forged: str) -> None:
    """Another provider's, a cut one, a made-up one."""
    assert OLD.route_of(forged, "t") is None


def test_route_and_text_cannot_be_shifted_into_each_other() -> None:
    """Where one ends is signed, too."""
    head, _, mac = OLD.sign("ab", "c").rpartition(".")
    shifted = OLD.sign("a", "bc").rpartition(".")[0]

    assert OLD.route_of(f"{head}.{mac}", "c") == "ab"
    assert OLD.route_of(f"{shifted}.{mac}", "bc") is None


def test_ours_are_told_from_others_by_their_form() -> None:
    """Without a secret: a native upstream's are left alone."""
    assert [is_ours(text) for text in (OLD.sign("r", "t"), "EqQBCgIYAhIM")] == [True, False]


def test_there_must_be_a_secret() -> None:
    """An empty list would sign with nothing."""
    with pytest.raises(ValueError, match="no secret"):
        Signer([])
