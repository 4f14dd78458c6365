"""Bulk jobs, the pure half: CPU of indexing a large file, and of one item from its line to its result."""

import gc
import json
import time
from collections.abc import Callable, Iterator

from megallm.batches.indexing import LineIndexer
from megallm.batches.items import Item, read_item
from megallm.batches.model import OPERATOR, Batch, Job, Source
from megallm.batches.options import job_of
from megallm.batches.results import Succeeded, result_line
from tests.benchmarks import yardstick
from tests.benchmarks.measure import Row, alternate
from tests.benchmarks.processes import upstream

LINES = 100_000
LINE_BYTES = 440
PIECE_BYTES = 1024 * 1024
INDEX_SECONDS = 1.0
ITEM_MICROSECONDS = 100
ROUNDS = 3

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4",
    "content": [{"type": "text", "text": "el zorro marrón rápido salta sobre el perro perezoso " * 8}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 100, "output_tokens": 100, "cache_read_input_tokens": 0, "total_tokens": 200},
}


def run() -> list[Row]:
    """Indexing 100,000 lines, and the work for one of them but the call."""
    with upstream() as url:
        factor = yardstick.slowness(url)
    return [yardstick.row(factor), _indexing(factor), *_items(factor)]


def _line(record: int) -> bytes:
    head = json.dumps({"custom_id": f"row-{record:06}", "sku": record, "text": ""}).encode()
    text = b"the quick brown fox jumps over the lazy dog " * 10
    return head[:-2] + text[: LINE_BYTES - len(head) - 1] + b'"}\n'


def _pieces() -> Iterator[bytes]:
    whole = b"".join(map(_line, range(LINES)))
    yield from (whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES))


def _indexing(factor: float) -> Row:
    pieces, job = list(_pieces()), job_of("translate", {"target_language_codes": ["es"]})
    best = min(_index(pieces, job) for _ in range(ROUNDS))
    return Row(
        f"Indexing {LINES:,} lines ({sum(map(len, pieces)) / 1e6:.0f} MB), CPU",
        f"{best:.2f} s",
        f"≤ {INDEX_SECONDS:.0f} s × {factor:.1f}",
        best <= INDEX_SECONDS * factor,
    )


def _index(pieces: list[bytes], job: Job) -> float:
    gc.collect()
    began = time.process_time()
    indexer = LineIndexer("msgbatch_benchmark", job)
    parts = [part for piece in pieces for part in indexer.feed(piece)] + indexer.finish()
    took = time.process_time() - began
    assert sum(part.items for part in parts) == indexer.total == LINES
    return took


def _items(factor: float) -> list[Row]:
    translate = job_of("translate", {"target_language_codes": ["es"]})
    text = json.loads(_line(1))["text"]
    params = {"model": "claude-sonnet-4", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    sent = json.dumps({"custom_id": "row-000001", "params": params}).encode()
    works = {"translate": _work(translate, _line(1)), "messages": _work(job_of("messages", {}), sent)}
    return [
        Row(
            f"One item of {task} from its line to its result, without the call",
            f"{(micro := min(seconds) * 1e6):.0f} µs",
            f"≤ {ITEM_MICROSECONDS} µs × {factor:.1f}",
            micro <= ITEM_MICROSECONDS * factor,
        )
        for task, seconds in alternate(works, times=2000, rounds=5).items()
    ]


def _work(job: Job, line: bytes) -> Callable[[], object]:
    source = Source("inbox/a.jsonl", "1", "a.jsonl")
    batch = Batch("msgbatch_benchmark", OPERATOR, job, source, "in_progress", created_at=0.0, expires_at=0.0)

    def work() -> None:
        item = read_item(line, 1, job)
        assert isinstance(item, Item)
        result_line(batch, item, Succeeded(MESSAGE))

    return work
