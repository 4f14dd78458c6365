"""docs/coverage.md says what the code does."""

from pathlib import Path

import pytest

from tests.contract.upstreams.staging import AWS_ENVIRON
from tests.coverage_table.page import COMMAND, page
from tests.coverage_table.rows import rows
from tests.coverage_table.unsent import SAME_ANYWAY, unsent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"


@pytest.fixture(scope="module")
def made() -> str:
    return page()


def test_the_page_is_what_the_code_makes(made: str) -> None:
    """Regenerated and compared: after a change of a table, of a translation or of the SDK it is made anew."""
    assert PAGE.read_text(encoding="utf-8") == made, f"make it anew: {COMMAND}"


def test_every_refusal_names_the_field(made: str) -> None:
    """C04: a part of a request that cannot be honoured is named."""
    assert "refused without a name" not in made


def test_nothing_is_called_native_that_no_upstream_hears_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """C04: what leaves no trace in what is sent is told; but for parts that say what is so anyway."""
    for name, value in AWS_ENVIRON.items():
        monkeypatch.setenv(name, value)

    found = unsent(rows())

    assert {label: kinds for label, kinds in found.items() if label not in SAME_ANYWAY} == {}
    assert found.keys() == SAME_ANYWAY.keys()


def test_every_row_is_there_once() -> None:
    """No request hides another."""
    labels = [(row.section, row.label) for row in rows()]

    assert len(labels) == len(set(labels))
