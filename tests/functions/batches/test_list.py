"""The list of batches, and its pages."""

import pytest

from tests.functions.batches.talking import PATH, Talk, error_of


def test_batches_are_listed_the_newest_first_in_pages() -> None:
    """C42: the page shape of the SDKs, forwards and backwards."""
    talk = Talk()
    ids = [talk.create("a")["id"] for _ in range(5)][::-1]

    def page(query: str) -> tuple[list[str], bool, str | None, str | None]:
        told = talk.send("GET", PATH + query).json()
        assert set(told) == {"data", "has_more", "first_id", "last_id"}
        return [batch["id"] for batch in told["data"]], told["has_more"], told["first_id"], told["last_id"]

    assert page("") == (ids, False, ids[0], ids[4])
    assert page("?limit=2") == (ids[:2], True, ids[0], ids[1])
    assert page(f"?limit=2&after_id={ids[1]}") == (ids[2:4], True, ids[2], ids[3])
    assert page(f"?limit=2&after_id={ids[3]}") == (ids[4:], False, ids[4], ids[4])
    assert page(f"?limit=2&before_id={ids[3]}") == (ids[1:3], True, ids[1], ids[2])
    assert page(f"?limit=2&before_id={ids[0]}") == ([], False, None, None)


def test_a_page_has_20_batches_unless_told_otherwise() -> None:
    """C42: as the SDK documents it."""
    talk = Talk()
    for _ in range(21):
        talk.create("a")

    assert len(talk.send("GET").json()["data"]) == 20
    assert len(talk.send("GET", PATH + "?limit=1000").json()["data"]) == 21


@pytest.mark.parametrize(
    ("query", "message", "param"),
    [
        ("limit=0", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("limit=1001", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("limit=two", "limit: Input should be a whole number from 1 to 1000", "limit"),
        ("after_id=msgbatch_1", "after_id: there is no batch with this id", "after_id"),
        ("before_id=" + "x" * 3000, "before_id: there is no batch with this id", "before_id"),
        ("after_id=a&before_id=b", "before_id: only one of after_id and before_id can be given", "before_id"),
    ],
)
def test_a_page_that_cannot_be_is_refused(query: str, message: str, param: str) -> None:
    """C42: naming the parameter."""
    answer = Talk().send("GET", f"{PATH}?{query}")

    assert error_of(answer) == (400, {"type": "invalid_request_error", "message": message, "param": param})
