"""The `megallm` command: the only thing that knows both people at a terminal and the operations.

What a command needs is imported inside it, against the habit of the rest of the project: `megallm --help` and
shell completion would otherwise wait for boto3, FastAPI and moto, which take a second together.
"""

import sys
import traceback


def main() -> None:
    """The entry point of the `megallm` script. A crash is one line too, which says where to look."""
    from megallm.cli.app import app

    try:
        app(prog_name="megallm")
    except Exception as error:  # noqa: BLE001  # the outermost boundary
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        sys.exit(f"megallm: this is a bug, please report it: {what}")
