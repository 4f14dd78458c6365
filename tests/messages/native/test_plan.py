"""Plans of edits: what is gathered, and what is told of it."""

from megallm.messages.calls import Adaptation
from megallm.messages.native.plan import Plan


def test_nothing_is_put_into_what_is_removed_or_replaced() -> None:
    """The edit around it stands."""
    plan = Plan()

    plan.put(("a",), None)
    plan.put(("b", 0), "1")
    plan.put(("a", "inner"), "2")
    plan.put(("b", 0, "inner"), "2")
    plan.put(("b", 1), "3")

    assert plan.edits == {"a": None, "b": {0: "1", 1: "3"}}


def test_a_plan_knows_what_goes() -> None:
    """By itself or with what is around it."""
    plan = Plan()
    plan.drop(("a", 1))
    plan.put(("b",), "7")

    assert [plan.removes(path) for path in ((), ("a",), ("a", 0), ("a", 1), ("a", 1, "inner"), ("b",), ("b", 0))] == [
        False,
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert plan.adaptations == [Adaptation("a.1", "dropped")]
