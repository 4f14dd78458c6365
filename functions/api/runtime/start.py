"""The life of a function's process: start, snapshot, service, end; and what Lambda is told when one of them fails."""

import asyncio
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, MutableMapping
from typing import TYPE_CHECKING, Any

from functions.api.runtime import snapshot
from functions.api.runtime.client import RuntimeApi
from functions.api.runtime.connection import RuntimeApiFailed
from functions.api.runtime.failures import Failure, failed_start

if TYPE_CHECKING:
    from functions.api.runtime.serve import Function

# The exit statuses of AWS's own runtime.
_NOT_STARTED, _NOT_SNAPSHOT, _NOT_RESTORED = 1, 64, 65


def start(environ: MutableMapping[str, str], load: "Callable[[], Function]") -> int:
    """Loads the function and serves it; the exit status. *load* may raise anything: Lambda is told."""
    api = RuntimeApi(environ["AWS_LAMBDA_RUNTIME_API"])
    with asyncio.Runner() as runner:
        runner.get_loop()  # The thread's, from here on: what is loaded may ask for it.
        try:
            from functions.api.runtime.serve import Server  # Here, since it imports what a bundle may lack.

            server = Server(api, load(), environ)
        except Exception as error:  # noqa: BLE001  the outermost boundary
            return _fail(runner, api.init_error(_told(error)), _NOT_STARTED)
        if snapshot.is_taken(environ):
            status = _be_copied(runner, api)
            if status != 0:
                return status
        runner.get_loop().add_signal_handler(signal.SIGTERM, server.stop)
        try:
            runner.run(server.run())
        except RuntimeApiFailed as error:
            print(f"The Runtime API failed: {error}", file=sys.stderr)  # noqa: T201  there is nobody else to tell
            return _NOT_STARTED
    return 0


def _be_copied(runner: asyncio.Runner, api: RuntimeApi) -> int:
    """Waits to be restored from a snapshot; the exit status, 0 to go on."""
    try:
        snapshot.run_before()
        runner.run(api.restore_next())
    except Exception as error:  # noqa: BLE001  a hook may raise anything
        return _fail(runner, api.init_error(_told(error, "Runtime.BeforeSnapshotError")), _NOT_SNAPSHOT)
    try:
        snapshot.run_after()
    except Exception as error:  # noqa: BLE001  the same
        return _fail(runner, api.restore_error(_told(error, "Runtime.AfterRestoreError")), _NOT_RESTORED)
    return 0


def _told(error: Exception, kind: str | None = None) -> Failure:
    """The error for Lambda; the log has it with its traceback."""
    traceback.print_exception(error)
    return failed_start(error, kind)


def _fail(runner: asyncio.Runner, report: Coroutine[Any, Any, None], status: int) -> int:
    try:
        runner.run(report)
    except RuntimeApiFailed as error:
        print(f"The Runtime API failed: {error}", file=sys.stderr)  # noqa: T201  there is nobody else to tell
    return status
