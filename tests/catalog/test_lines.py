"""Lines are counted as TOML and editors count them, and a byte order mark is no content."""

from pathlib import Path

import pytest

from megallm.catalog.file_format import BrokenCatalog, load, parse

MODEL = '[[models]]\nid = "a"\ndisplay_name = "A"\nroutes = [{ provider = "embedded", model = "m" }]\n'
NOT_ENDS = ("\u2028", "\u2029", "\x85")  # of a line; TOML takes none of the control characters that are none either


@pytest.mark.parametrize("letter", NOT_ENDS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_line_feeds_end_a_line(letter: str, end: str) -> None:
    """Others may stand in comments and texts."""
    text = f'# a{letter}b\n{MODEL}# c{letter}d\ncolour = "{letter}"\n'.replace("\n", end)

    with pytest.raises(BrokenCatalog, match=r"^f, line 7: models\.0\.colour: "):
        parse(text, source="f")


def test_a_file_of_another_system_has_the_same_lines(tmp_path: Path) -> None:
    """A line that ends in two characters is one."""
    file = tmp_path / "models.toml"
    file.write_bytes(f"{MODEL}colour = 1".replace("\n", "\r\n").encode())

    with pytest.raises(BrokenCatalog, match=r", line 5: models\.0\.colour: "):
        load(str(file))


def test_a_member_of_several_lines_is_told_where_it_ends() -> None:
    """Up to there it is not complete."""
    text = MODEL.replace("[{ provider", "[\n{ provider").replace("}]", "},\n]") + "colour = [\n1,\n]\n"

    with pytest.raises(BrokenCatalog, match=r"^f, line 9: models\.0\.colour: "):
        parse(text, source="f")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors write one without being asked."""
    file = tmp_path / "models.toml"
    file.write_bytes(b"\xef\xbb\xbf" + MODEL.encode())

    assert [model.id for model in load(str(file)).models] == ["a"]


def test_a_byte_order_mark_changes_no_line(tmp_path: Path) -> None:
    """The first line is still the first."""
    file = tmp_path / "models.toml"
    file.write_bytes(b"\xef\xbb\xbfcolour = 1\n" + MODEL.encode())

    with pytest.raises(BrokenCatalog, match=r", line 1: colour: "):
        load(str(file))
