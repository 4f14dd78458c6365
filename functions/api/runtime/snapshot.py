"""SnapStart: what is run before a snapshot of the process is taken, and in each copy that is made from it.

The hooks are those of AWS's ``snapshot-restore-py``, which its runtime carries; without it there are none.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

import random
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Hook = tuple[Callable[..., object], Sequence[Any], Mapping[str, Any]]  # Any: what was registered with it


def is_taken(environ: Mapping[str, str]) -> bool:
    """Whether this process will be copied."""
    return environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def run_before() -> None:
    """Runs the hooks before the snapshot, the last registered first. Raises what they raise."""
    for hook, arguments, named in reversed(_registered("get_before_snapshot")):
        hook(*arguments, **named)


def run_after() -> None:
    """Makes the copies differ, and runs the hooks after the restoration in their order. Raises what they raise."""
    random.seed()  # it spreads our retries; every copy would draw the same numbers
    for hook, arguments, named in _registered("get_after_restore"):
        hook(*arguments, **named)


def _registered(get: str) -> Sequence[Hook]:
    if find_spec("snapshot_restore_py") is None:
        return ()
    hooks: Sequence[Hook] = getattr(import_module("snapshot_restore_py"), get)()
    return hooks
