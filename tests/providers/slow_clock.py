"""An event loop for tests of waits: its clock is the test's, not the machine's."""

import asyncio
from typing import Self

SLOWER = 100


class SlowClock(asyncio.SelectorEventLoop):
    """Its seconds last a hundred, and ``advance`` puts it forward: a process that is not let run misses no moment."""

    def __init__(self) -> None:
        self._began = 0.0
        self._ahead = 0.0
        super().__init__()
        self._began = super().time()

    def time(self) -> float:
        return self._began + (super().time() - self._began) / SLOWER + self._ahead

    def advance(self, seconds: float) -> None:
        """As if so many seconds had passed."""
        self._ahead += seconds

    @classmethod
    def running(cls) -> Self:
        """The loop that runs."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, cls)
        return loop


async def turns(count: int = 20) -> None:
    """Lets everything that can go on do so, for so many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)
