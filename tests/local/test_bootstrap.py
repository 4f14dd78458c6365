"""How a fresh clone gets its environments, and what a user is told when that fails.

The environments here are real ones, in a small copy of the clone, filled with a wheel made on the spot.
"""

import ast
import base64
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from megallm.local import bootstrap, environments, remedies
from megallm.local.remedies import CannotInstall

PACKAGE = Path(bootstrap.__file__).parents[1]
PARTS = ("__init__.py", "local/__init__.py", "local/bootstrap.py", "local/environments.py", "local/remedies.py")


@dataclass(frozen=True, slots=True)
class Clone:
    """A folder with the bootstrap in it and a file of pins, and a folder of wheels in place of the index."""

    root: Path
    wheels: Path

    def pin(self, *versions: str) -> None:
        """Writes the pins: one package, in this version."""
        lines = [f"demo=={version} \\\n    --hash=sha256:{self._wheel(version)}\n" for version in versions]
        (self.root / "requirements" / "demo.txt").write_text("".join(lines))

    def bootstrap(self, environ: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Exit status and output of one run."""
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_NO_CACHE_DIR": "1"}
        done = subprocess.run(
            [sys.executable, "shared/megallm/local/bootstrap.py", "venv", ".venv-demo", "requirements/demo.txt"],
            cwd=self.root,
            env={**os.environ, **index, **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def demo_version(self) -> str:
        """The version that the environment really imports."""
        python = self.root / ".venv-demo" / "bin" / "python"
        return subprocess.run(
            [python, "-c", "import demo; print(demo.VERSION)"], capture_output=True, text=True, check=False
        ).stdout.strip()

    def _wheel(self, version: str) -> str:
        path = self.wheels / f"demo-{version}-py3-none-any.whl"
        folder = f"demo-{version}.dist-info"
        files = {
            "demo/__init__.py": f"VERSION = '{version}'\n",
            f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n",
            f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in {**files, f"{folder}/RECORD": f"{record}{folder}/RECORD,,\n"}.items():
                wheel.writestr(zipfile.ZipInfo(name), text)
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _clone(folder: Path) -> Clone:
    clone = Clone(folder / "my clone", folder / "wheels")
    for part in PARTS:
        target = clone.root / "shared" / "megallm" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / part, target)
    (clone.root / "requirements").mkdir()
    clone.wheels.mkdir()
    return clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone without an environment, in a folder with a space in its name."""
    return _clone(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with an environment. Whatever a test breaks in it, it also sees repaired."""
    ready = _clone(tmp_path_factory.mktemp("installed"))
    ready.pin("1.0")
    assert ready.bootstrap()[0] == 0
    return ready


@pytest.mark.slow
def test_a_whole_environment_is_left_alone_in_silence(installed: Clone) -> None:
    """Every `make run` passes here."""
    assert (installed.bootstrap(), installed.demo_version()) == ((0, "", ""), "1.0")


@pytest.mark.slow
def test_new_pins_are_installed_into_the_same_environment(installed: Clone) -> None:
    """After a `git pull`."""
    installed.pin("1.1")
    updated, version = installed.bootstrap(), installed.demo_version()
    installed.pin("1.0")
    back = installed.bootstrap()

    assert (updated[0], "Making" in updated[1], version) == (0, False, "1.1")
    assert (back[0], installed.demo_version()) == (0, "1.0")


@pytest.mark.slow
def test_an_installation_that_was_interrupted_is_finished(installed: Clone) -> None:
    """The stamp is written last."""
    (installed.root / ".venv-demo" / ".demo.json").unlink()

    status, output, _ = installed.bootstrap()

    assert (status, "Installing 1 packages" in output, "Making" in output) == (0, True, False)
    assert installed.bootstrap() == (0, "", "")


@pytest.mark.slow
def test_a_missing_file_of_a_package_is_repaired(installed: Clone) -> None:
    """pip believes the metadata and would say that all is well."""
    (module,) = (installed.root / ".venv-demo").glob("lib/*/site-packages/demo/__init__.py")
    module.unlink()

    status, output, _ = installed.bootstrap()

    assert (status, "is damaged by an earlier installation: it is made anew" in output) == (0, True)
    assert installed.demo_version() == "1.0"


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_anew(installed: Clone) -> None:
    """The system's Python was upgraded or removed under it."""
    python = installed.root / ".venv-demo" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")

    status, output, _ = installed.bootstrap()

    assert (status, "Making .venv-demo with Python" in output, installed.demo_version()) == (0, True, "1.0")


@pytest.mark.slow
def test_a_clone_that_was_moved_gets_a_new_environment(installed: Clone, tmp_path: Path) -> None:
    """Its scripts name the old folder."""
    moved = Clone(tmp_path / "elsewhere", installed.wheels)
    shutil.copytree(installed.root, moved.root, symlinks=True)

    status, output, _ = moved.bootstrap()

    assert (status, "was moved or copied: its environment is made anew" in output) == (0, True)
    assert (moved.demo_version(), moved.bootstrap()) == ("1.0", (0, "", ""))


@pytest.mark.slow
def test_a_package_that_is_not_the_pinned_one_is_refused(installed: Clone) -> None:
    """A mirror or a proxy may deliver something else."""
    installed.pin("1.1")
    pins = installed.root / "requirements" / "demo.txt"
    pins.write_text(pins.read_text()[:-65] + "0" * 64 + "\n")

    status, _, errors = installed.bootstrap()
    installed.pin("1.0")

    assert (status, "is not the one that this project pins" in errors) == (1, True)
    assert "Traceback" not in errors


@pytest.mark.slow
def test_an_index_out_of_reach_is_told_with_the_remedy(installed: Clone) -> None:
    """The network is the likeliest trouble on a fresh machine."""
    installed.pin("1.1")
    nowhere = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}

    status, _, errors = installed.bootstrap(nowhere)
    installed.pin("1.0")

    assert (status, "The package index cannot be reached. Check the network" in errors) == (1, True)
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_python_without_venv_is_told_with_the_package_to_install(clone: Clone, tmp_path: Path) -> None:
    """Debian parts ensurepip from Python."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "ensurepip.py").write_text("raise ImportError\n")
    clone.pin("1.0")

    status, _, errors = clone.bootstrap({"PYTHONPATH": str(broken)})

    assert (status, f"sudo apt install python3.{sys.version_info[1]}-venv" in errors) == (1, True)


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
