"""How the commands speak: what comes from outside is shown as it is, and nothing is lost in a pipe."""

import pytest
import typer

from megallm.cli.output import clear_errors, print_table


def test_what_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A key may have any name; one of `[/x]` made every later list a crash."""
    print_table(("id", "name"), [("a", "[/x]"), ("b", "[red]not red[/red]")])

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "id  name",
        "a   [/x]",
        "b   [red]not red[/red]",
    ]


def test_control_characters_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal would obey them: change its title, move the cursor, turn the text around."""
    print_table(("", ""), [("name", "a\x1b[31mb\nc\x07\u202ed"), ("other", "Łódź 東京")])

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "name   a\\x1b[31mb\\nc\\x07\\u202ed",
        "other  Łódź 東京",
    ]


def test_a_table_in_a_pipe_is_neither_cut_nor_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row is one line, for grep and cut, however wide."""
    monkeypatch.setenv("COLUMNS", "40")
    wide = " ".join(["word"] * 200)

    print_table(("id", "name"), [("a", wide)])

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == ["id  name", f"a   {wide}"]


def test_an_error_without_words_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as Python's own TimeoutError: an empty line would say nothing."""
    with pytest.raises(typer.Exit) as ended, clear_errors(OSError):
        raise TimeoutError

    assert (ended.value.exit_code, capsys.readouterr().err) == (1, "megallm: TimeoutError\n")
