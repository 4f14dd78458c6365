"""The Lambda bundle beside the same code as pip installs it: size, and what a function's start takes of the CPU."""

import tempfile
from pathlib import Path

from infra.bundle import archive, packages
from infra.bundle.build import build, copy_code, locked
from infra.bundle.target import target
from infra.options import Options
from tests.benchmarks.measure import Row
from tests.infra.bundle.unpacked import Unpacked, copy_sources, native_architecture, unpack

ROUNDS = 20
MOST_MEGABYTES = 15.0
LEAST_RATIO = 2.5

_PROGRAM = """
import time; began = time.process_time()
import {modules}
print(time.process_time() - began)
"""
# Everything that the API's entry imports.
_IMPORTS = "functions.api.app, functions.api.entry, megallm.composition, megallm.settings"
_API = "functions.api.handler"
_WORKER = "functions.batch_worker.handler"


def run() -> list[Row]:
    """Builds both for this machine, which takes a minute or two."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = copy_sources(folder / "sources")
        bundle = build(Options(architecture=native_architecture()), folder / "out", sources)
        ours = unpack(bundle, folder / "ours")
        plain = _plain(sources, folder / "plain")
        plain_zip = folder / "plain.zip"
        archive.write(plain_zip, archive.files_of(plain.task))
        size, layer_size, plain_size = (_megabytes(path) for path in (bundle.function, bundle.schemas, plain_zip))
        return [
            Row("the API's zip file", f"{size:.1f} MB", f"≤ {MOST_MEGABYTES:g} MB", size <= MOST_MEGABYTES),
            Row("the layer for checks of schemas", f"{layer_size:.1f} MB"),
            Row("the same code and packages, as pip installs them", f"{plain_size:.1f} MB"),
            _start("import of the API's entry, which composes the gateway", _API, ours, plain, LEAST_RATIO),
            _start("of that, the modules", _IMPORTS, ours, plain, None),
            _start("import of a batch worker's entry", _WORKER, ours, plain, LEAST_RATIO),
        ]


def _plain(sources: Path, folder: Path) -> Unpacked:
    """Neither pruned nor compiled."""
    packages.install(locked(with_server=False), target(native_architecture()), folder)
    copy_code(sources, folder)
    return Unpacked(folder, folder)


def _start(what: str, modules: str, ours: Unpacked, plain: Unpacked, least: float | None) -> Row:
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(ROUNDS):
        for name, each in (("ours", ours), ("plain", plain)):
            seconds[name].append(float(each.run(_PROGRAM.format(modules=modules))))
    # Whatever else runs on the machine only adds to what a start takes, and so to the least of it the least.
    bundled, installed = (min(seconds[name]) * 1000 for name in ("ours", "plain"))
    faster = installed / bundled
    measured = f"{bundled:.0f} ms; as installed {installed:.0f} ms; {faster:.2f}×"
    return Row(what, measured) if least is None else Row(what, measured, f"≥ {least:g}×", faster >= least)


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}: {row.measured} {row.target} {'' if row.met else 'MISSED'}")
