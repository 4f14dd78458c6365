"""Zip files that are the same for the same content: sorted, undated, with two kinds of rights."""

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

_NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can have
_READ, _RUN = 0o644, 0o755


def files_of(folder: Path) -> dict[str, Path]:
    """All files below a folder, by their names in it."""
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def write(path: Path, files: Mapping[str, Path]) -> None:
    """Writes *path* with these files, each under its name."""
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: elsewhere the rights would have no meaning
            rights = _RUN if file.stat().st_mode & stat.S_IXUSR and file.suffix == "" else _READ
            entry.external_attr = (stat.S_IFREG | rights) << 16
            archive.writestr(entry, file.read_bytes())
    partial.replace(path)
