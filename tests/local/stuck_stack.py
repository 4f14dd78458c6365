"""A local stack whose model does not let go when it is to be closed: a process for test_stack_end.

``STUCK=thread`` blocks a thread, as a batch of a long prompt does; ``STUCK=loop`` the whole event loop, so that
only force ends the process. Once it is asked to close, it says so on standard output.
"""

import asyncio
import os
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from megallm.cli.output import print_json
from megallm.local.stack import Wanted, run
from megallm.local.state import find
from tests.fakes import Pause, ScriptedProvider, gateway, text_reply

STUCK_SECONDS = 60


class StuckProvider(ScriptedProvider):
    """Begins an answer and never ends it."""

    def __init__(self) -> None:
        super().__init__([*text_reply("Hello")[:3], Pause()])

    async def aclose(self) -> None:
        print("closing", flush=True)
        if os.environ["STUCK"] == "thread":
            await asyncio.to_thread(time.sleep, STUCK_SECONDS)
        else:
            time.sleep(STUCK_SECONDS)  # noqa: ASYNC251  # the loop is to be blocked


if __name__ == "__main__":
    model = Path("stuck.gguf")
    model.write_bytes(b"GGUF")
    run(
        Wanted(0, str(model), None, Path(), find(Path.cwd())),
        environ=os.environ,
        console=Console(stderr=True),
        announce=lambda state, chosen: print_json(asdict(state)),
        gateway_of=lambda settings, target: gateway(StuckProvider()),
    )
