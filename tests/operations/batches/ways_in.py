"""The ways in: each brings the same items into a scene as a batch. Gone through again, it is the same batch."""

import gzip
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic_core import to_json

from megallm.batches.job_message import parse_job
from megallm.batches.model import Batch
from megallm.errors import GatewayError, InvalidRequest, RateLimited, UpstreamFailed, UpstreamTimedOut
from megallm.keys import Caller
from megallm.messages.events import Reply
from megallm.operations.intake_batch import intake_job
from megallm.operations.refuse_job import refuse_job
from megallm.operations.route_call import Sender
from megallm.operations.submit_batch import submit_batch
from megallm.operations.sweep_batches import INDEXING_SECONDS
from tests.batch_fakes import BUCKET, Process
from tests.fakes import KEY_RECORD
from tests.operations.batches.harness import Scene, in_use
from tests.operations.batches.upstream import Upstream, echo

Arrive = Callable[[Scene, Process | None], Batch]

_NOTHING: Mapping[str, str] = {}
_NUMBER = re.compile(r"text (\d+)")


def answer(text: str, nth: int) -> Reply | GatewayError:
    """Every kind of an item's fate, which its text tells."""
    match text:
        case _ if "fails" in text:
            return UpstreamFailed("It failed")
        case _ if "is refused" in text:
            return InvalidRequest("messages: no", param="messages")
        case _ if "times out" in text and nth == 1:
            return UpstreamTimedOut("It took too long")
        case _ if "has to wait" in text and nth == 1:
            return RateLimited("Slowly", headers={"retry-after": "2"})
        case _:
            return echo(text, nth)


def record_of(call: str) -> int:
    """The number of the record that a call was made for."""
    match = _NUMBER.search(call)
    assert match is not None, call
    return int(match[1])


def _request(number: int, text: str) -> dict[str, object]:
    params = {"model": "priced", "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": f"id-{number}", "params": params}


TEXTS = [f"text {number}" for number in range(1, 13)]
TEXTS[2] += " fails"
TEXTS[5] += " is refused"
TEXTS[8] += " has to wait"
TEXTS[10] += " times out"
REQUESTS = [_request(number, text) for number, text in enumerate(TEXTS, 1)]
ROWS = [{"custom_id": f"id-{number}", "text": text, "price": number / 4} for number, text in enumerate(TEXTS, 1)]
# Two that are no items of their own: one is no object, one has the id of another.
NO_ITEMS: list[object] = [5, _request(1, "text 14")]
IDS = [f"id-{number}" for number in range(1, 13)]


def lines_of(rows: Sequence[object]) -> bytes:
    """JSON lines."""
    return b"".join(to_json(row) + b"\n" for row in rows)


def dropped(key: str, body: bytes, metadata: Mapping[str, str] = _NOTHING) -> Arrive:
    """An object in the bucket, and S3's event of it."""
    return lambda scene, process: scene.drop(body, key, metadata, process)


def job_message(message: dict[str, object], uploaded: bytes = b"") -> Arrive:
    """A job message; *uploaded* is what its pointer may name."""

    def arrive(scene: Scene, process: Process | None) -> Batch:
        scene.world.objects["uploads/in.jsonl"] = uploaded
        ports = scene.world.ports(process)
        body = to_json({"version": 1, **message})
        try:
            job = parse_job(body)
        except InvalidRequest as error:
            return refuse_job(ports, "queue-id", body, error.message, scene.clock())
        return intake_job(ports, job, "queue-id", scene.clock(), in_use, scene.rules())

    return arrive


def over_https(requests: Sequence[object]) -> Arrive:
    """A request of a client. Nobody sends it again once it is recorded: the schedule goes on then."""

    def arrive(scene: Scene, process: Process | None) -> Batch:
        if scene.world.batches:
            scene.time.seconds += INDEXING_SECONDS + 1
            scene.sweep(process)
            return scene.batch()

        async def body() -> AsyncIterator[bytes]:
            whole = to_json({"requests": requests})
            for at in range(0, len(whole), 400):
                yield whole[at : at + 400]

        gateway = replace(scene.upstream.gateway(), batches=scene.world.ports(process))
        caller = Caller(KEY_RECORD.id, "basic")
        return scene.run(submit_batch(gateway, caller, Sender(), body(), "req_1", scene.clock))

    return arrive


@dataclass(frozen=True, slots=True)
class WayIn:
    """``ids`` are the custom_ids of the results, in order."""

    arrive: Arrive
    ids: Sequence[str]
    items_a_part: int = 6

    def scene(self) -> Scene:
        """Several parts, each with several checkpoints: two calls at a time, of two seconds each."""
        return Scene(upstream=Upstream(answer, seconds=2.0), concurrency=2, items_a_part=self.items_a_part)


_REQUESTS = [*REQUESTS, *NO_ITEMS]
_ALL_IDS = [*IDS, "13", "id-1"]
_LINES = lines_of(_REQUESTS)
_ROWS = [*ROWS, 5, {"custom_id": "id-1", "text": "text 14"}]
_TO_SPANISH: dict[str, object] = {"task": "translate", "options": {"target_language_codes": ["es"]}}
_POINTER = f"s3://{BUCKET}/uploads/in.jsonl"

WAYS_IN = {
    "JSON lines": WayIn(dropped("inbox/messages/in.jsonl", _LINES), _ALL_IDS),
    "gzip": WayIn(dropped("inbox/messages/in.jsonl.gz", gzip.compress(_LINES, mtime=0)), _ALL_IDS),
    "an array": WayIn(dropped("inbox/messages/in.json", to_json(_REQUESTS, indent=1)), _ALL_IDS),
    "a document": WayIn(dropped("inbox/summarize/eli5/in.txt", b"text 1\nis\nlong\n"), ["1"]),
    "rows": WayIn(dropped("inbox/translate/es/in.jsonl", lines_of(_ROWS)), _ALL_IDS),
    "a job with items": WayIn(job_message({**_TO_SPANISH, "items": _ROWS}), _ALL_IDS),
    "a job with a pointer": WayIn(job_message({**_TO_SPANISH, "source": _POINTER}, lines_of(_ROWS)), _ALL_IDS),
    "HTTPS": WayIn(over_https(REQUESTS), IDS, items_a_part=1000),
}
