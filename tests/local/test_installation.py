"""What an installation decides, and what a user is told when it cannot go on: the parts that start nothing."""

import ast
import errno
import os
import sys
from pathlib import Path

import pytest

from megallm.local import bootstrap, environments, remedies
from megallm.local.remedies import CannotInstall

PACKAGE = Path(bootstrap.__file__).parents[1]
# What runs before anything is installed.
PARTS = ("__init__.py", "local/__init__.py", "local/bootstrap.py", "local/environments.py", "local/remedies.py")


def test_a_stamp_is_written_at_once(tmp_path: Path) -> None:
    """Half of one would say that the folder was moved: here a full disk stops the new one, and the old one stays."""
    stamp = tmp_path / ".demo.json"
    bootstrap.write_stamp(stamp, {"python": "3.11.7"})
    (tmp_path / ".demo.json.new").mkdir()

    with pytest.raises(IsADirectoryError):
        bootstrap.write_stamp(stamp, {"python": "3.12.1"})

    assert bootstrap.read_stamp(stamp) == {"python": "3.11.7"}


@pytest.mark.parametrize("part", PARTS)
def test_an_old_python_can_read_far_enough_to_say_so(part: str) -> None:
    """3.6 is what some systems still call python3."""
    ast.parse((PACKAGE / part).read_text(), feature_version=(3, 6))


def test_an_old_python_is_told_what_to_install() -> None:
    """Where no newer one is on the machine."""
    with pytest.raises(CannotInstall, match=r"needs Python 3\.11 or newer, and this is Python 3\.6\.15\."):
        bootstrap.supported_python((3, 6, 15), lambda name: None)


def test_an_old_python_hands_over_to_the_newest_that_runs() -> None:
    """A shim without its version behind it is passed over."""
    found = {"python3.13": "/bin/false", "python3.12": sys.executable, "python3.11": "/bin/false"}

    assert bootstrap.supported_python((3, 9, 2), found.get) == sys.executable


def test_a_supported_python_stays() -> None:
    """Whatever else is installed."""
    assert bootstrap.supported_python((3, 11, 0), lambda name: "/bin/false") is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux parts the OpenMP library off")
def test_a_missing_openmp_library_is_told_with_the_package_to_install() -> None:
    """It would otherwise show as an ImportError after the whole installation."""

    def load(name: str) -> object:
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(CannotInstall, match="sudo apt install libgomp1"):
        bootstrap.check_openmp(load)


def test_too_little_space_is_told_before_anything_is_downloaded(tmp_path: Path) -> None:
    """With both numbers."""
    with pytest.raises(CannotInstall, match=f"needs about 1000000000 MB in {tmp_path}, and [0-9]+ MB are free there"):
        bootstrap.check_space(tmp_path, 1_000_000_000)


@pytest.mark.parametrize(("missing", "megabytes"), [(0, 30), (1, 51), (50, 700), (100, 700)])
def test_a_small_repair_needs_little_space(missing: int, megabytes: int) -> None:
    """What is there already needs no room once more."""
    assert bootstrap.needed_megabytes(700, missing, pins=100) == megabytes


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.EROFS, "/x cannot be written. Clone the project into a folder of your own"),
        (errno.EACCES, "/x cannot be written. Clone the project into a folder of your own"),
        (errno.ENOSPC, "There is no room left for /x. Make room"),
    ],
)
def test_the_operating_systems_refusals_are_told_with_the_remedy(code: int, expected: str) -> None:
    """A traceback would say the same to fewer people."""
    assert remedies.for_os_error(OSError(code, os.strerror(code), "/x"), "/clone").startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: No matching distribution found for xllamacpp==1", "The package index has no build"),
        ("ERROR: something new", "pip could not install the packages. The end of what it said:\nERROR: something new"),
    ],
)
def test_what_pip_says_is_put_into_words_for_the_user(line: str, expected: str) -> None:
    """Its own are for people who know pip."""
    assert remedies.for_pip([line]).startswith(expected)


def test_pins_with_a_marker_are_left_to_pip(tmp_path: Path) -> None:
    """Only pip knows whether they are for this machine."""
    file = tmp_path / "pins.txt"
    file.write_text(
        "a==1 \\\n    --hash=x\nb[c]==2.0 \\\n    --hash=x\nd==3 ; sys_platform == 'win32' \\\n    --hash=x\n"
    )

    assert environments.pinned(file) == {"a": "1", "b": "2.0"}
