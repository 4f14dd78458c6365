"""The worked costs: the page is the code's, and the code's counts are the stack's."""

import pytest

from infra import costs
from tests.infra.synthesis import ROOT, Template, resources


def test_the_page_has_the_tables_that_the_code_works_out() -> None:
    """`python -m infra.costs` prints them."""
    page = (ROOT / "docs" / "costs.md").read_text()

    assert [title for title, text in costs.page().items() if f"## {title}\n\n{text}" not in page] == []


def test_a_table_adds_up() -> None:
    """Quantity by price, and the sum of it."""
    lines = [costs.Line("a", 2_000_000, 0.5 / costs.MILLION), costs.Line("b", 3, 0.25)]

    assert costs.table(lines).splitlines()[2:] == [
        "| a | 2,000,000 | 0.0000005 | 1.00 |",
        "| b | 3 | 0.25 | 0.75 |",
        "| **together** | | | **1.75** |",
    ]


@pytest.mark.slow
def test_the_alarms_are_counted(template: Template) -> None:
    """They are most of what an idle month costs."""
    assert len(resources(template, "AWS::CloudWatch::Alarm")) == costs.STACK_ALARMS
