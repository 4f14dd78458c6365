"""Builds the two zip files of a deployment, or finds them built: the function's, and the layer's for schemas.

The layer has the one library that only checks of replies against a schema load; it is as large as half of the rest.
"""

import hashlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from infra.bundle import archive, bytecode, elf, packages, prune
from infra.bundle.files import Bundle
from infra.bundle.target import NoSuchRuntime, Target, target
from infra.environment import CATALOG, TIERS
from infra.options import Options
from infra.streaming import LAYERS

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "lambda.txt"
# The Lambda Web Adapter wants an HTTP server, which otherwise runs on one's own machine only.
_SERVER_LOCK = ROOT / "requirements" / "local.txt"
_SERVER = frozenset({"uvicorn", "httptools", "click"})
TASK = "/var/task"

SCHEMAS = "jsonschema_rs"
# Only on one's own machine.
_NOT_DEPLOYED = ("megallm/local", "megallm/cli", "megallm/__main__.py")


class BundleFailed(Exception):
    """There is no bundle; the message says why."""


def build(options: Options, out: Path, sources: Path = ROOT) -> Bundle:
    """The bundle for these options, below *out*; *sources* has functions/ and shared/. Raises BundleFailed."""
    try:
        where = target(options.architecture)
        extra = _chosen_files(options)
        lock = locked(with_server=options.streaming == "adapter")
        digest = _digest(where, lock, sources, extra)
        folder = out / "bundle" / digest
        bundle = Bundle(folder / "function.zip", folder / "schemas.zip", digest, where.runtime, where.architecture)
        if not (bundle.function.is_file() and bundle.schemas.is_file()):
            installed = installed_packages(where, lock, out / "packages")
            _write(bundle, installed, sources, extra)
            _forget_others(folder)
    except (NoSuchRuntime, packages.NotInstalled, bytecode.NotCompiled, elf.NotElf, OSError) as problem:
        raise BundleFailed(str(problem)) from problem
    return bundle


def locked(*, with_server: bool) -> str:
    """The pins of a bundle. Raises NotInstalled."""
    return LOCK.read_text() + (packages.pins_of(_SERVER_LOCK, _SERVER) if with_server else "")


def installed_packages(where: Target, lock: str, out: Path) -> Path:
    """The packages, installed, pruned and compiled; made once for each lock and target."""
    folder = out / _hash([_toolchain(where), lock.encode(), *_tools()])
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        packages.install(lock, where, partial)
        prune.prune(partial)
        elf.strip_all(partial, where.architecture)
        # Nobody reads them there, and they are a sixth of the zip file.
        bytecode.compile_all(partial, TASK, keep_sources=False)
        partial.rename(folder)
        _forget_others(folder)
    return folder


def copy_code(sources: Path, folder: Path) -> None:
    """Our own code, as it will be in /var/task."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(sources / "functions", folder / "functions", ignore=ignored)
    shutil.copytree(sources / "shared" / "megallm", folder / "megallm", ignore=ignored)
    for name in _NOT_DEPLOYED:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write(bundle: Bundle, installed: Path, sources: Path, extra: dict[str, bytes]) -> None:
    folder = bundle.function.parent
    code = folder / "code"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_code(sources, code)
    bytecode.compile_all(code, TASK, keep_sources=True)
    for name, content in extra.items():
        (code / name).write_bytes(content)
    third_party = archive.files_of(installed)
    schemas = {name for name in third_party if name.startswith(SCHEMAS)}
    in_function = {name: path for name, path in third_party.items() if name not in schemas}
    archive.write(bundle.function, in_function | archive.files_of(code))
    layer = Path(LAYERS).name
    archive.write(bundle.schemas, {f"{layer}/{name}": third_party[name] for name in schemas})
    shutil.rmtree(code)


def _chosen_files(options: Options) -> dict[str, bytes]:
    """The files that the options name, by their name in the bundle."""
    chosen = {CATALOG: "" if options.catalog == "aws" else options.catalog, TIERS: options.tiers}
    return {Path(name).name: Path(path).read_bytes() for name, path in chosen.items() if path}


def _digest(where: Target, lock: str, sources: Path, extra: dict[str, bytes]) -> str:
    """Of everything that the zip files are made from."""
    pieces = [_toolchain(where), lock.encode(), *_tools()]
    for path in sorted(_sources(sources)):
        pieces += [path.relative_to(sources).as_posix().encode(), path.read_bytes()]
    for name, content in sorted(extra.items()):
        pieces += [name.encode(), content]
    return _hash(pieces)


def _sources(root: Path) -> Iterator[Path]:
    for folder in (root / "functions", root / "shared" / "megallm"):
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _tools() -> Iterator[bytes]:
    """The code that builds decides as well what comes out."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        yield path.read_bytes()


def _toolchain(where: Target) -> bytes:
    return b"/".join([where.runtime.encode(), where.architecture.encode(), importlib.util.MAGIC_NUMBER])


def _hash(pieces: list[bytes]) -> str:
    total = hashlib.sha256()
    for piece in pieces:
        total.update(len(piece).to_bytes(8, "big") + piece)
    return total.hexdigest()[:32]


def _forget_others(kept: Path) -> None:
    for other in kept.parent.iterdir():
        if other != kept:
            shutil.rmtree(other)
