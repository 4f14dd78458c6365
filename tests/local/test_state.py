"""The folder that a local stack leaves for scripts."""

import json
import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from megallm.local.state import AlreadyRunning, LocalState, StateFolder, UnreadableState, find, is_running

STATE = LocalState(
    base_url="http://127.0.0.1:4141",
    api_key="mega_abcdefgh_" + "s" * 43,
    aws_endpoint_url="http://127.0.0.1:4142",
    region="us-east-1",
    keys_table="megallm-keys",
    bucket="megallm-local",
    queues={"intake": "http://127.0.0.1:4142/123456789012/megallm-intake"},
    model="tiny",
    pid=7,
)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder that was just made."""
    state_folder = StateFolder(tmp_path / ".megallm")
    state_folder.create()
    return state_folder


def make_clone(folder: Path) -> Path:
    """Gives a folder what a clone is known by; returns the package in it."""
    package = folder / "shared" / "megallm"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (folder / "pyproject.toml").touch()
    return package


def mode(path: Path) -> str:
    """The permissions, as `ls` would be asked for them."""
    return oct(path.stat().st_mode & 0o777)


def test_only_the_owner_can_read_what_a_stack_leaves(folder: StateFolder) -> None:
    """The API key is in it."""
    folder.save(STATE)
    folder.api_key(lambda: STATE.api_key)

    modes = {path.name: mode(path) for path in (folder.path, *folder.path.iterdir())}

    assert modes == {".megallm": "0o700", "local.json": "0o600", "api-key": "0o600"}


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    """It may have been made by hand, or with another umask."""
    path = tmp_path / ".megallm"
    path.mkdir(mode=0o755)

    StateFolder(path).create()

    assert mode(path) == "0o700"


def test_scripts_read_the_state_as_json(folder: StateFolder) -> None:
    """The names of the fields are a promise."""
    folder.save(STATE)

    assert json.loads((folder.path / "local.json").read_text()) == asdict(STATE)
    assert folder.load() == STATE


@pytest.mark.parametrize("content", ["", "{", "[]", '{"base_url": "http://127.0.0.1:4141"}'])
def test_a_state_that_cannot_be_read_is_no_state(folder: StateFolder, content: str) -> None:
    """It may come from another version of MegaLLM."""
    (folder.path / "local.json").write_text(content)

    assert folder.load() is None


def test_a_folder_without_a_state_has_none(folder: StateFolder) -> None:
    """Before the first run."""
    assert folder.load() is None


def test_the_api_key_is_made_once(folder: StateFolder) -> None:
    """Scripts go on working when the stack is started again."""
    keys = iter([STATE.api_key, "mega_zzzzzzzz_" + "z" * 43])

    first, second = folder.api_key(lambda: next(keys)), folder.api_key(lambda: next(keys))

    assert (first, second) == (STATE.api_key, STATE.api_key)


@pytest.mark.parametrize("content", [b"", b"mega_abc", b"\xff\xfe"])
def test_a_damaged_api_key_is_made_anew(folder: StateFolder, content: bytes) -> None:
    """A full disk may have left half of it, or an editor something else."""
    (folder.path / "api-key").write_bytes(content)

    assert folder.api_key(lambda: STATE.api_key) == STATE.api_key


def test_a_stack_that_ends_takes_its_state_with_it(folder: StateFolder) -> None:
    """Nobody should look for it any more."""
    folder.save(STATE)

    folder.forget(STATE.pid)

    assert folder.load() is None


def test_a_stack_that_ends_leaves_the_state_of_its_successor(folder: StateFolder) -> None:
    """Two stacks may have run in one clone, on two ports."""
    folder.save(replace(STATE, pid=8))

    folder.forget(STATE.pid)

    assert folder.load() == replace(STATE, pid=8)


def test_the_state_is_found_from_anywhere_in_the_clone(tmp_path: Path) -> None:
    """As git finds its repository."""
    (tmp_path / ".megallm").mkdir()
    deep = tmp_path / "tests" / "local"
    deep.mkdir(parents=True)

    assert find(deep).path == tmp_path / ".megallm"


def test_a_fresh_clone_is_known_by_the_package_in_it(tmp_path: Path) -> None:
    """No stack has run there yet."""
    package = make_clone(tmp_path)

    assert find(package).path == tmp_path / ".megallm"


def test_outside_a_clone_the_working_directory_has_its_own_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MegaLLM may be installed with pip. A relative path keeps what lies above the test's folder out of it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)

    assert find(Path("work")).path == Path("work/.megallm")


def test_a_folder_of_another_user_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say where to send keys: neither as the clone around, nor as the working directory itself."""
    make_clone(tmp_path)
    inside = tmp_path / "inside"
    inside.mkdir()
    StateFolder(tmp_path / ".megallm").create()
    StateFolder(tmp_path / ".megallm").save(STATE)
    before = find(inside).path
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)

    found = find(inside).path

    assert (before, found) == (tmp_path / ".megallm", inside / ".megallm")
    assert StateFolder(tmp_path / ".megallm").load() is None
    with pytest.raises(PermissionError, match="not a folder of your own"):
        StateFolder(tmp_path / ".megallm").create()


def test_a_link_to_a_state_is_passed_over(tmp_path: Path) -> None:
    """Whoever made it may have made it for somebody else."""
    clone = tmp_path / "clone"
    clone.mkdir()
    make_clone(clone)
    elsewhere = StateFolder(tmp_path / "elsewhere")
    elsewhere.create()
    elsewhere.save(STATE)
    (clone / ".megallm").symlink_to(elsewhere.path)

    assert elsewhere.load() == STATE
    assert StateFolder(clone / ".megallm").load() is None
    with pytest.raises(PermissionError, match="not a folder of your own"):
        StateFolder(clone / ".megallm").create()


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:4141",
        "https://evil.example:4141",
        "http://127.0.0.1.evil.example:4141",
        "http://127.0.0.1:4141@evil.example:80",
        "http://127.0.0.1",
        "http://127.0.0.1:port",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("field", ["base_url", "aws_endpoint_url"])
def test_a_state_that_names_another_machine_is_no_state(folder: StateFolder, field: str, url: str) -> None:
    """Keys would go there."""
    changed = {"base_url": STATE.base_url, "aws_endpoint_url": STATE.aws_endpoint_url} | {field: url}

    folder.save(replace(STATE, base_url=changed["base_url"], aws_endpoint_url=changed["aws_endpoint_url"]))

    assert folder.load() is None


def test_a_state_whose_queue_is_on_another_machine_is_no_state(folder: StateFolder) -> None:
    """Batches would go there."""
    folder.save(replace(STATE, queues={"intake": "http://192.0.2.1:4142/queue"}))

    assert folder.load() is None


def test_a_state_that_the_system_does_not_let_read_is_an_error_of_its_own(folder: StateFolder) -> None:
    """As if nothing ran would be wrong; and the way out never fails."""
    file = folder.path / "local.json"
    file.mkdir()

    with pytest.raises(UnreadableState, match=r"local.json cannot be read \(Is a directory\)\. Remove it"):
        folder.load()
    folder.forget(STATE.pid)

    assert file.is_dir()


def test_only_one_stack_holds_a_folder(folder: StateFolder) -> None:
    """Before the first one has written where it is, the second one hears that it starts."""
    with folder.held(), pytest.raises(AlreadyRunning, match="is just starting"), folder.held():
        pass
    with folder.held():
        pass


def test_a_stack_runs_when_both_of_its_ports_answer() -> None:
    """A process id could belong to something else by now; a port answers or does not."""
    with socket.create_server(("127.0.0.1", 0)) as gateway, socket.create_server(("127.0.0.1", 0)) as aws:
        urls = [f"http://127.0.0.1:{server.getsockname()[1]}" for server in (gateway, aws)]
        both = replace(STATE, base_url=urls[0], aws_endpoint_url=urls[1])

        running = is_running(both)
        aws.close()

        assert (running, is_running(both)) == (True, False)
