"""The Lambda entry that streams: ``handler.py``'s app under our own runtime, which ``streaming-wrapper`` starts.

    AWS_LAMBDA_EXEC_WRAPPER=/var/task/functions/api/streaming-wrapper

Without that variable the same function runs ``handler.py`` under AWS's runtime, and buffers.
"""

import os
import sys
from typing import TYPE_CHECKING

from functions.api.runtime.start import start
from functions.heap import Start

if TYPE_CHECKING:
    from functions.api.runtime.serve import Function


def load() -> "Function":
    """The function, composed from the environment.

    It imports what it needs, so that whatever is wrong with the settings or the bundle reaches Lambda from here.
    """
    with Start():
        from functions.api.app import create_app
        from functions.api.entry import LambdaEntry
        from functions.api.runtime.serve import Function
        from megallm import telemetry
        from megallm.composition import compose
        from megallm.settings import Settings

        telemetry.configure()
        gateway = compose(Settings.from_environ(os.environ))
        return Function(LambdaEntry(create_app(gateway)), gateway.aclose)


if __name__ == "__main__":
    sys.exit(start(os.environ, load))
