"""docs/coverage.md says what the code does."""

from pathlib import Path

from tests.coverage_table.page import COMMAND, page
from tests.coverage_table.rows import rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"


def test_the_page_is_what_the_code_makes() -> None:
    """Regenerated and compared: after a change of a table, of a translation or of the SDK it is made anew."""
    assert PAGE.read_text(encoding="utf-8") == page(), f"make it anew: {COMMAND}"


def test_every_refusal_names_the_field() -> None:
    """C04: a part of a request that cannot be honoured is named."""
    assert "refused without a name" not in page()


def test_every_row_is_there_once() -> None:
    """No request hides another."""
    labels = [(row.section, row.label) for row in rows()]

    assert len(labels) == len(set(labels))
