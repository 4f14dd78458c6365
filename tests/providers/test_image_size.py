"""Kinds and sizes of images, as their first bytes tell them."""

import pytest

from megallm.providers.image_size import media_type_of, size_of
from tests.providers.pictures import KINDS, PICTURES

NO_IMAGES = [
    b"",
    b"\x89PNG",
    b"<svg/>",
    b"<!doctype html>",
    b"BM" + bytes(100),
    b"II*\x00" + bytes(100),
    b"RIFF....WAVE",
]


@pytest.mark.parametrize("name", PICTURES)
def test_kind_and_size_are_told_from_the_bytes(name: str) -> None:
    """Of each kind of file that the Messages API takes, and of the ways in which JPEG and WebP can be written."""
    assert (media_type_of(PICTURES[name]), size_of(PICTURES[name])) == (KINDS[name], (7, 5))


@pytest.mark.parametrize("name", PICTURES)
def test_an_image_cut_off_anywhere_has_its_size_or_none(name: str) -> None:
    """Never a wrong one, and never an exception: the bytes come from the caller."""
    sizes = [size_of(PICTURES[name][:length]) for length in range(len(PICTURES[name]))]

    known = sizes.index((7, 5))
    assert sizes == [None] * known + [(7, 5)] * (len(sizes) - known)


@pytest.mark.parametrize("image", NO_IMAGES, ids=ascii)
def test_other_files_have_no_kind_and_no_size(image: bytes) -> None:
    """Markup, bitmaps and sounds are not images to the Messages API."""
    assert (media_type_of(image), size_of(image)) == (None, None)


@pytest.mark.parametrize(
    "image",
    [
        PICTURES["png"].replace(b"\x00\x00\x00\x07", b"\x00\x00\x00\x00", 1),
        PICTURES["gif"].replace(b"GIF87a\x07", b"GIF87a\x00"),
        PICTURES["jpeg"].replace(b"\xff\xc0\x00\x0b\x08\x00\x05", b"\xff\xc0\x00\x0b\x08\x00\x00"),
        PICTURES["lossless webp"].replace(b"\x00\x00/", b"\x00\x00?"),
        PICTURES["lossy webp"].replace(b"\x9d\x01*", b"\x9d\x01+"),
        PICTURES["extended webp"].replace(b"VP8X", b"VP9X"),
    ],
    ids=["png", "gif", "jpeg", "lossless webp", "lossy webp", "extended webp"],
)
def test_a_header_that_makes_no_sense_has_no_size(image: bytes) -> None:
    """A width of zero is not one."""
    assert size_of(image) is None


def test_jpegs_padding_and_lone_markers_are_skipped() -> None:
    """Both are allowed between segments."""
    head, rest = PICTURES["jpeg"][:20], PICTURES["jpeg"][20:]

    assert size_of(head + b"\xff\xff\xff\x01\xff\xd0" + rest) == (7, 5)


def test_a_jpeg_segment_that_claims_no_length_does_not_stop_the_search() -> None:
    """A length below two would lead nowhere: no endless loop, and no size."""
    assert size_of(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10_000) is None
