"""Language codes: canonical spelling, names for the model, and errors that help."""

import pytest

from megallm.batches.languages import canonical, name_of
from megallm.errors import InvalidRequest


@pytest.mark.parametrize(
    ("code", "tag", "name"),
    [
        ("es", "es", "Spanish"),
        ("ES", "es", "Spanish"),
        ("pt-br", "pt-BR", "Brazilian Portuguese"),
        ("zh-hant", "zh-Hant", "Traditional Chinese"),
        ("zh-Hant-HK", "zh-Hant-HK", "Chinese (zh-Hant-HK)"),
        ("de-at", "de-AT", "German (de-AT)"),
        ("es-419", "es-419", "Latin American Spanish"),
        ("ca-Valencia", "ca-valencia", "Catalan (ca-valencia)"),
        ("de-1996", "de-1996", "German (de-1996)"),
        ("yue", "yue", "Cantonese"),
        ("nb", "nb", "Norwegian Bokmål"),
    ],
)
def test_a_code_has_one_spelling_and_a_name(code: str, tag: str, name: str) -> None:
    """Two folders that mean one language are one option."""
    assert (canonical(code, param="x"), name_of(tag)) == (tag, name)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("spanish", "; did you mean es?"),
        ("Brazilian_Portuguese", "; did you mean pt-BR?"),
        ("pt_BR", "; did you mean pt-BR?"),
        ("portugese", "; did you mean pt?"),
        ("xx", "; it should be one of BCP 47, such as es, ja or pt-BR"),
        ("", "; it should be one of BCP 47, such as es, ja or pt-BR"),
        ("es-", "; it should be one of BCP 47, such as es, ja or pt-BR"),
        ("ｅｓ", "; it should be one of BCP 47, such as es, ja or pt-BR"),
        ("es\n", "; did you mean es?"),
    ],
)
def test_an_unknown_code_is_named_and_often_the_right_one_too(code: str, hint: str) -> None:
    """The error tells what was written."""
    with pytest.raises(InvalidRequest) as raised:
        canonical(code, param="target_language_codes")

    assert raised.value.message == f"target_language_codes: {code!r} is no language code of ours{hint}"
    assert raised.value.param == "target_language_codes"


def test_a_tag_has_its_bounds() -> None:
    """Its grammar allows any number of variants, and a batch's record has to hold it."""
    assert canonical("de-1901-1996", param="language") == "de-1901-1996"
    with pytest.raises(InvalidRequest):
        canonical("de" + "-variants" * 7, param="language")
