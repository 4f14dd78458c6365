"""Workers, an upstream and a queue for the tests of batches: in one thread, in simulated time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from pydantic_core import from_json, to_json

from megallm.batches.model import Batch, result_key
from megallm.keys import KeyStatus
from megallm.operations.batch_index import IndexRules
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.batch_tools import Allowance
from megallm.operations.finish_batch import finish_batch
from megallm.operations.in_thread import InThread
from megallm.operations.intake_batch import Standing, intake_object
from megallm.operations.run_part import Worker
from megallm.operations.sweep_batches import sweep_batches
from tests.batch_fakes import Crash, Process, World
from tests.limits.simulated_time import SimulatedTime, simulated
from tests.operations.batches.upstream import Upstream

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

BEGIN = 1_800_000_000.0


def in_use(owner: str) -> KeyStatus:
    """How it stands with every key."""
    return "active"


def message_lines(texts: Iterable[str], *, model: str = "priced") -> bytes:
    """A file of the messages task, a text a line."""
    rows = (
        {
            "custom_id": f"id-{number}",
            "params": {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]},
        }
        for number, text in enumerate(texts, 1)
    )
    return b"".join(to_json(row) + b"\n" for row in rows)


def inline(seconds: float = 0.0) -> InThread:
    """In place of a thread: on the loop, but others get their turn before and after. Takes *seconds*."""

    async def run(work: Callable[P, ResultT], /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        await asyncio.sleep(seconds)
        result = work(*args, **kwargs)
        await asyncio.sleep(0)
        return result

    return run


@dataclass
class Scene:
    """A world with an upstream and a clock, and the messages of its queues to be delivered."""

    world: World = field(default_factory=World)
    upstream: Upstream = field(default_factory=Upstream)
    time: SimulatedTime = field(default_factory=SimulatedTime)
    concurrency: int = 8
    items_a_part: int = 1000
    store_seconds: float = 0.0

    def clock(self) -> float:
        """Seconds since 1970."""
        return BEGIN + self.time.seconds

    def monotonic(self) -> float:
        """Seconds."""
        return self.time.seconds

    def worker(
        self,
        process: Process | None = None,
        *,
        ports: BatchPorts | None = None,
        clock: Callable[[], float] | None = None,
        allowance: Allowance | None = None,
    ) -> Worker:
        """A worker process; its ports and its clock are the scene's unless it has others."""
        return Worker(
            self.upstream.gateway(process),
            ports or self.world.ports(process),
            concurrency=self.concurrency,
            allowance=allowance,
            clock=clock or self.clock,
            monotonic=self.monotonic,
            in_thread=inline(self.store_seconds),
            fraction=lambda: 0.5,
        )

    def drop(
        self,
        body: bytes,
        key: str = "inbox/messages/in.jsonl",
        metadata: Mapping[str, str] | None = None,
        process: Process | None = None,
        standing: Standing | None = None,
    ) -> Batch:
        """Puts an object, and lets the intake have its event."""
        self.world.objects[key] = body
        self.world.metadata[key] = metadata or {}
        ports = self.world.ports(process)
        return intake_object(ports, key, "", self.clock(), standing or in_use, self.rules())

    def rules(self) -> IndexRules:
        """With the catalogue's prices, and parts as small as the test wants them."""
        return IndexRules(self.upstream.gateway().catalog, items_a_part=self.items_a_part)

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:  # Any: what a coroutine may be sent
        """In simulated time. Raises what nobody looked at, unless its process had died."""
        unseen: list[BaseException] = []

        async def watched() -> ResultT:
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: unseen.append(context.get("exception") or RuntimeError(context["message"]))
            )
            return await work

        result = simulated(watched(), self.time)
        for error in unseen:
            if not isinstance(error, Crash):
                raise error
        return result

    def work(self, process: Process | None = None) -> None:
        """One worker takes all messages that there are, all at once."""
        messages, self.world.part_messages = self.world.part_messages, []

        worker = self.worker(process)

        async def all_of_them() -> None:
            await asyncio.gather(*(worker.run(batch_id, number) for batch_id, number in messages))

        self.run(all_of_them())
        assert worker._tools.slots("upstream").in_flight == 0

    def finish(self, process: Process | None = None) -> None:
        """The finisher takes all of its messages."""
        while self.world.finish_messages:
            finish_batch(self.world.ports(process), self.world.finish_messages[0], self.clock())
            self.world.finish_messages.pop(0)

    def sweep(self, process: Process | None = None) -> None:
        """One run of the schedule."""
        sweep_batches(self.world.ports(process), self.clock(), self.rules())

    def to_the_end(self) -> None:
        """Delivers whatever there is, the schedule each minute included, until every batch has ended."""
        for _ in range(2000):
            self.work()
            self.finish()
            if all(batch.state == "ended" for batch in self.world.batches.values()):
                return
            self.time.seconds += 60
            self.sweep()
        raise AssertionError("a batch does not end")

    def batch(self) -> Batch:
        """The one batch."""
        [batch] = self.world.batches.values()
        return batch

    def file(self, name: str) -> bytes:
        """One of the finished files."""
        return self.world.objects[result_key(self.batch().id, name)]

    def results(self) -> list[tuple[str, str]]:
        """Of each line, the id and how the item ended, or the text of the reply."""
        return [_told(from_json(line)) for line in self.file("results.jsonl").splitlines()]

    def manifest(self) -> dict[str, Any]:  # Any: JSON
        """The manifest."""
        manifest: dict[str, Any] = from_json(self.file("manifest.json"))
        return manifest


def _told(line: dict[str, Any]) -> tuple[str, str]:  # Any: JSON
    result = line["result"]
    kind = result["type"]
    return line["custom_id"], result["message"]["content"][0]["text"] if kind == "succeeded" else kind


def survives(work: Callable[[], object]) -> bool:
    """Runs what one process does; False where it died."""
    try:
        work()
    except Crash:
        return False
    return True


def repeated(calls: Sequence[str]) -> int:
    """How many calls were made for a text that had been asked for before."""
    return len(calls) - len(set(calls))
