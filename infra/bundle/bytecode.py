"""Compiles modules for good: the .pyc are believed without a look at their sources' times, which a zip file loses.

Run as a program, so that the hash seed is known when the interpreter starts: the order of sets is part of a .pyc.
"""

import os
import py_compile
import subprocess
import sys
from pathlib import Path


class NotCompiled(Exception):
    """A module has no valid syntax for this Python; the message is the compiler's."""


def compile_all(folder: Path, root: str, *, keep_sources: bool) -> None:
    """*root* is where the folder's files will be when they run, for tracebacks. Raises NotCompiled.

    Without its source a module's .pyc stands in the source's place.
    """
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(  # noqa: S603  this very file
        [sys.executable, __file__, str(folder), root, *(["--keep"] if keep_sources else [])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise NotCompiled(finished.stderr.strip())


def main(folder: Path, root: str, *, keep_sources: bool) -> None:
    """One module after the other, in one process and in order: the same inputs then give the same bytes."""
    for path in sorted(folder.rglob("*.py")):
        py_compile.compile(
            str(path),
            None if keep_sources else str(path.with_suffix(".pyc")),
            dfile=f"{root}/{path.relative_to(folder).as_posix()}",
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not keep_sources:
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], keep_sources="--keep" in sys.argv[3:])
