"""What is frozen for the type checker is a slotted dataclass, equal to another where their fields are."""

from dataclasses import replace

import pytest

from megallm.messages.frozen import frozen


@frozen
class Point:
    """A place."""

    x: int
    y: int = 0


def test_they_are_equal_and_hashed_by_their_fields() -> None:
    """As dataclasses are that are frozen at run time too."""
    assert {Point(1), Point(1, 0), Point(2)} == {Point(1), Point(2)}
    assert replace(Point(1), y=3) == Point(1, 3)


def test_they_take_no_further_fields() -> None:
    """They have slots; that the fields stay as they are is the type checker's business."""
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]  # what the type checker would find
