"""The worked costs: the page is the code's, and the code's counts are the stack's."""

import pytest

from infra import costs
from infra.prices import PRICES, Price
from tests.infra.synthesis import ROOT, Template, resources


def test_the_page_has_the_tables_that_the_code_works_out() -> None:
    """`python -m infra.costs` prints them."""
    page = (ROOT / "docs" / "costs.md").read_text()

    assert [title for title, text in costs.page().items() if f"## {title}\n\n{text}" not in page] == []


def test_a_table_adds_up() -> None:
    """Quantity by price, and the sum of it."""
    lines = [costs.Line("a", 2_000_000, Price("", 0.5, 1_000_000, "")), costs.Line("b", 3, Price("", 0.25, 1, ""))]

    assert costs.table(lines).splitlines()[2:] == [
        "| a | 2,000,000 | 0.0000005 | 1.00 |",
        "| b | 3 | 0.25 | 0.75 |",
        "| **together** | | | **1.75** |",
    ]


def test_no_price_is_without_its_source() -> None:
    """And the page has all that are used."""
    used = {
        line.price for lines in (costs.messages(1, 1), costs.batch_items(1, 1), costs.busy_month()) for line in lines
    }

    assert [price for price in PRICES if not (price.source and price.dollars > 0)] == []
    assert used - set(PRICES) == set()


@pytest.mark.slow
def test_the_alarms_are_counted(template: Template) -> None:
    """They are most of what an idle month costs; one over several metrics is paid for each of them."""
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()

    watched = [sum("MetricStat" in each for each in alarm.get("Metrics", [{"MetricStat": {}}])) for alarm in alarms]

    assert sum(watched) == costs.STACK_ALARMS
