"""The life of the process: its start, its failures to start, SnapStart, its end; and how much memory it takes."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.functions.api.gateway_events import event
from tests.functions.streaming.apps import PIECE, PIECES
from tests.functions.streaming.running import ROOT, Lambda, environment, wrapped
from tests.functions.streaming.wire import Json

pytestmark = pytest.mark.slow


def function(load: str, **environ: str) -> Lambda:
    """One of the tests' own functions."""
    return Lambda([sys.executable, "-m", "tests.functions.streaming.apps", load], environment(**environ))


def init_error(started: Lambda) -> tuple[int, str, Json, str]:
    """Exit status, path, report and the type in its header, of a process that ends by itself."""
    status = started.end()
    ((post, raw),) = started.api.reports
    assert raw.endswith(post.body)
    report = json.loads(post.body)
    assert report.pop("stackTrace")
    return status, post.line, report, post.headers["lambda-runtime-function-error-type"]


def test_broken_settings_are_an_init_error() -> None:
    """Lambda has the reason, with the variable's name, and so has the log; the process does not linger."""
    with Lambda(wrapped(), environment(MEGALLM_STRICT="perhaps")) as started:
        status, line, report, kind = init_error(started)
        errors = started.errors

    text = "MEGALLM_STRICT: Input should be a valid boolean, unable to interpret input"
    assert (status, line) == (1, "POST /2018-06-01/runtime/init/error HTTP/1.1")
    assert report == {"errorMessage": text, "errorType": "Function.BrokenSettings"}
    assert kind == "Function.BrokenSettings"
    assert errors.rstrip().endswith(f"megallm.settings.BrokenSettings: {text}")


def test_a_bundle_that_lacks_a_module_is_an_init_error(tmp_path: Path) -> None:
    """As a bundle lies in Lambda: ``functions`` and ``megallm`` side by side, started from elsewhere."""
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=without)
    shutil.copytree(ROOT / "shared" / "megallm", tmp_path / "megallm", ignore=without)
    (tmp_path / "functions" / "api" / "intake.py").unlink()

    with Lambda(wrapped(tmp_path), environment(LAMBDA_TASK_ROOT=str(tmp_path)), Path("/")) as started:
        status, _, report, kind = init_error(started)

    assert (status, kind) == (1, "Runtime.ImportModuleError")
    assert report == {
        "errorMessage": "No module named 'functions.api.intake'",
        "errorType": "Runtime.ImportModuleError",
    }


SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


def test_a_copy_of_a_snapshot_runs_the_hooks_around_it() -> None:
    """SnapStart: nothing is asked for before the restoration; the hooks run in AWS's order."""
    with function("load_hello", **SNAP_START) as started:
        started.wait(started.api.restore_asked.wait())
        before = (started.errors.splitlines(), [*started.api.next_heads])
        exchange = started.call(lambda: started.api.invoke(event("rest_v1")))
        started.call(started.api.restored.set)
        started.wait(exchange.end())

        assert before == (["before: registered last", "before: registered first"], [])
        assert started.errors.splitlines()[2:] == ["after: registered first", "after: registered last"]
        assert exchange.answer.payload == b"hello"


def test_a_failing_hook_before_the_snapshot_is_an_init_error() -> None:
    """With the exit status of AWS's runtime."""
    with function("load_failing_before", **SNAP_START) as started:
        status, line, report, _ = init_error(started)

    assert (status, line) == (64, "POST /2018-06-01/runtime/init/error HTTP/1.1")
    assert report == {"errorMessage": "no snapshot of this", "errorType": "Runtime.BeforeSnapshotError"}


def test_a_failing_hook_after_the_restoration_is_a_restore_error() -> None:
    """With the exit status of AWS's runtime."""
    with function("load_failing_after", **SNAP_START) as started:
        started.call(started.api.restored.set)
        status, line, report, _ = init_error(started)

    assert (status, line) == (65, "POST /2018-06-01/runtime/restore/error HTTP/1.1")
    assert report == {"errorMessage": "no life after this", "errorType": "Runtime.AfterRestoreError"}


def test_sigterm_ends_a_waiting_process_in_order() -> None:
    """As Lambda ends one, where an extension is there to see it."""
    with function("load_hello") as started:
        started.wait(started.api.idle())

        assert (started.end(signal.SIGTERM), started.errors) == (0, "")


def test_a_runtime_api_that_goes_away_ends_the_process() -> None:
    """It does not spin."""
    with function("load_hello") as started:
        started.wait(started.api.idle())
        started.wait(started.api.__aexit__(None, None, None))

        assert started.end() == 1
        assert started.errors == "The Runtime API failed: no answer: IncompleteReadError\n"


def test_a_large_response_waits_for_its_reader() -> None:
    """200 MB, of which a few are made before the reader takes the first; at no time are there many in memory."""
    with function("load_large") as started:
        exchange = started.call(lambda: started.api.invoke(event("rest_v1")))
        started.call(exchange.reading.clear)
        waits_at = int(started.first_error())
        started.call(exchange.reading.set)
        started.wait(exchange.end())
        assert exchange.post is not None
        _, *pieces, grown = exchange.post.chunks

    assert waits_at * len(PIECE) < 32 * 1024 * 1024
    assert pieces == [PIECE] * PIECES
    assert int(grown) < 16 * 1024 * 1024
