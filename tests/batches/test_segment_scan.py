"""Where the entries of a segment lie, however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.batches.results import segment_line
from megallm.batches.segment_scan import Place, SegmentScan

HEAD = b'{"spent":[]}'
CANCELED = b'{"custom_id":"b","result":{"type":"canceled"}}\n'
EXPIRED = b'{"custom_id":"c","result":{"type":"expired"}}\n'
ENTRIES = [
    (7, b'{"custom_id":"a"}\n', None, "succeeded"),
    (5, CANCELED, None, "canceled"),
    (6, b'{"error":"x"}\n', b'{"why":"y"}\n', "errored"),
    (8, EXPIRED, None, "expired"),
    (9, CANCELED, b'{"why":"z"}\n', "errored"),
]
WHOLE = HEAD + b"\n" + b"".join(segment_line(record, result, error) for record, result, error, _ in ENTRIES)


def scanned(whole: bytes, sizes: list[int]) -> tuple[bytes, list[Place]]:
    """The head and the places, of bytes that come in pieces of these sizes and a rest."""
    scan, places, at = SegmentScan(), list[Place](), 0
    for size in [*sizes, len(whole)]:
        places += scan.feed(whole[at : at + size])
        at += size
    scan.finish()
    return scan.head, places


@given(st.lists(st.integers(0, 60), max_size=40))
def test_each_entry_is_found_where_it_lies(sizes: list[int]) -> None:
    """Its result and its error can be read from the object by their bytes alone; and it is known how it ended."""
    head, places = scanned(WHOLE, sizes)

    assert head == HEAD
    assert [
        (place.record, WHOLE[place.start : place.middle], WHOLE[place.middle : place.end] or None, place.ended)
        for place in places
    ] == ENTRIES


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_a_segment_that_is_cut_off_is_found_out(end: int) -> None:
    """Unless it ends where an entry does, which nobody could see."""
    ends = {len(HEAD) + 1, *(place.end for place in scanned(WHOLE, [])[1])}

    if end in ends:
        scanned(WHOLE[:end], [])
    else:
        with pytest.raises(ValueError, match="cut off"):
            scanned(WHOLE[:end], [])


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**6),
            st.binary(min_size=1).map(lambda text: text + b"\n"),
            st.none() | st.binary().map(lambda text: text + b"\n"),
        )
    )
)
def test_whatever_stands_in_the_lines_their_sizes_tell_where_they_end(
    entries: list[tuple[int, bytes, bytes | None]],
) -> None:
    """Line feeds and what looks like another entry, too."""
    whole = HEAD + b"\n" + b"".join([segment_line(*entry) for entry in entries])

    _, places = scanned(whole, [])

    assert [
        (place.record, whole[place.start : place.middle], whole[place.middle : place.end] or None) for place in places
    ] == entries
