"""How a fresh clone gets its environments, and what a user is told when that fails.

The environments here are real ones, in a small copy of the clone, filled with a wheel made on the spot.
"""

import base64
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from megallm.local import bootstrap
from tests.local.running import START_SECONDS
from tests.local.test_installation import PARTS

PACKAGE = Path(bootstrap.__file__).parents[1]


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
        process = self.start(environ)
        output, errors = process.communicate()
        return process.returncode, output, errors

    def start(self, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """One run, with a process group of its own."""
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_NO_CACHE_DIR": "1"}
        return subprocess.Popen(
            [sys.executable, "shared/megallm/local/bootstrap.py", "venv", ".venv-demo", "requirements/demo.txt"],
            cwd=self.root,
            env={**os.environ, **index, **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

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
def test_settings_of_the_users_pip_do_not_lead_the_packages_elsewhere(clone: Clone, tmp_path: Path) -> None:
    """Only where packages come from is the user's choice: the index of the same file counts."""
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nno-index = true\nfind-links = {clone.wheels}\n[install]\nuser = true\n")
    clone.pin("1.0")
    elsewhere = str(tmp_path / "elsewhere")
    environ = {
        "PIP_CONFIG_FILE": str(config),
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
        **dict.fromkeys(("PIP_ROOT", "PIP_TARGET", "PIP_PREFIX"), elsewhere),
        **dict.fromkeys(("PIP_USER", "PIP_DRY_RUN", "PIP_NO_DEPS"), "1"),
    }

    status, _, errors = clone.bootstrap(environ)

    assert (status, errors, clone.demo_version()) == (0, "", "1.0")
    assert not Path(elsewhere).exists()


@pytest.mark.slow
def test_an_installation_whose_make_was_killed_keeps_the_next_one_out(installed: Clone) -> None:
    """pip goes on without it, and two at once would install over each other."""
    installed.pin("1.1")
    with socket.create_server(("127.0.0.1", 0)) as silent, (installed.root / ".megallm/install.lock").open() as lock:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        process = installed.start({"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": index})
        silent.settimeout(START_SECONDS)
        connection, _ = silent.accept()
        process.kill()
        process.wait()

        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        connection.close()
        fcntl.flock(lock, fcntl.LOCK_EX)
    installed.pin("1.0")

    assert (installed.bootstrap()[0], installed.demo_version()) == (0, "1.0")


@pytest.mark.slow
def test_a_python_without_venv_is_told_with_the_package_to_install(clone: Clone, tmp_path: Path) -> None:
    """Debian parts ensurepip from Python."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "ensurepip.py").write_text("raise ImportError\n")
    clone.pin("1.0")

    status, _, errors = clone.bootstrap({"PYTHONPATH": str(broken)})

    version = f"3.{sys.version_info[1]}"
    told = [f"sudo apt install python{version}-venv", f"pyenv install --force {version}", "PYTHON=/path/to/python"]
    assert (status, [remedy for remedy in told if remedy not in errors]) == (1, [])
