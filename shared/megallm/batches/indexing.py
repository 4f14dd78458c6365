"""Cuts JSON lines into parts by byte ranges, finds ids that come twice, and refuses what no batch can be made of."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from pydantic_core import from_json

from megallm.batches.estimate import TokenEstimate
from megallm.batches.formats import BOM, HEAD_BYTES, check_head
from megallm.batches.lines import MAX_LINE_BYTES, Line, LineCutter
from megallm.batches.model import BYTES_A_PART, ITEMS_A_PART, Job, Part
from megallm.batches.options import job_of
from megallm.batches.refused import Refused
from megallm.batches.rows import own_id_of, row_of
from megallm.errors import InvalidRequest, clip

MAX_ITEMS = 1_000_000
MAX_BYTES = 5 * 1024**3
_DIGITS = len(str(MAX_ITEMS))


class LineIndexer:
    """Bytes in, parts out; how the bytes are cut into pieces changes nothing.

    The parts' ranges lie end to end: the first begins after a byte order mark and the job's line, at ``begin``, the
    last ends with the input. A first line ``{"job": {…}}`` is no record but gives options: ``job_line`` has them as
    they came, ``job`` is the job with them. ``total`` counts the records so far; ``estimated_tokens`` is what they may
    use. Every method raises Refused.
    """

    def __init__(
        self,
        batch_id: str,
        job: Job,
        *,
        items_a_part: int = ITEMS_A_PART,
        bytes_a_part: int = BYTES_A_PART,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.total = 0
        self.estimated_tokens = 0
        self.begin = 0
        self.job = job
        self.job_line: Mapping[str, object] | None = None
        self._estimate = TokenEstimate(job)
        self._batch_id = batch_id
        self._items_a_part = items_a_part
        self._bytes_a_part = bytes_a_part
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._cutter = LineCutter()
        self._head: bytes | None = b""  # until there is enough to be looked at
        self._ids: set[bytes] = set()
        self._numbered = _Numbers()
        self._fed = 0
        self._at = 0  # where the next line begins
        self._parts = 0
        # The open part.
        self._start = 0
        self._first = 1
        self._duplicates: list[int] = []

    def feed(self, chunk: bytes) -> list[Part]:
        """The parts that are complete with this chunk."""
        self._fed += len(chunk)
        if self._fed > self._max_bytes:
            raise Refused(f"The file has more than {self._max_bytes:,} bytes")
        if self._head is not None:
            self._head += chunk
            if len(self._head) < HEAD_BYTES:
                return []
            chunk = self._opened()
        return list(self._parts_of(self._cutter.feed(chunk)))

    def finish(self) -> list[Part]:
        """The last parts, once all bytes were fed."""
        parts: list[Part] = []
        if self._head is not None:
            parts += self._parts_of(self._cutter.feed(self._opened()))
        parts += self._parts_of(self._cutter.finish())
        if not self.total:
            raise Refused("There are no items in the file")
        return [*parts, self._close()]

    def _opened(self) -> bytes:
        head = self._head or b""
        self._head = None
        check_head(head)
        if head.startswith(BOM):
            self.begin = self._at = self._start = len(BOM)
        return head[self.begin :]

    def _parts_of(self, lines: Iterator[Line]) -> Iterator[Part]:
        for line in lines:
            text, size = line
            if line.is_record() and not (self.total == 0 and self._is_job_line(text, size)):
                if self.total >= self._first:  # the open part has a record
                    items = self.total - self._first + 1
                    if items >= self._items_a_part or self._at + size - self._start > self._bytes_a_part:
                        yield self._close()
                self._count(text)
            self._at += size

    def _count(self, line: bytes) -> None:
        self.total += 1
        if self.total > self._max_items:
            raise Refused(f"The file has more than {self._max_items:,} items")
        try:
            row = row_of(line)
            custom_id = own_id_of(row, self.job)
        except InvalidRequest:
            return  # a bad line is an error in any case, and must not spoil the row that has its number as its id
        if self._is_taken(custom_id):
            self._duplicates.append(self.total)
        else:
            self.estimated_tokens += self._estimate.of(row)

    def _is_taken(self, custom_id: str | None) -> bool:
        """Whether an earlier record has the id, which is its number where a record has none; takes it if not."""
        if custom_id is None:
            if _digest(str(self.total)) in self._ids:
                return True
            self._numbered.add(self.total)
            return False
        if self._numbered.has_id(custom_id) or (digest := _digest(custom_id)) in self._ids:
            return True
        self._ids.add(digest)
        return False

    def _close(self) -> Part:
        """The open part, which ends before the next line; a new one begins there."""
        self._parts += 1
        part = Part(
            batch_id=self._batch_id,
            number=self._parts,
            start=self._start,
            end=self._at,
            first=self._first,
            items=self.total - self._first + 1,
            duplicates=tuple(self._duplicates),
        )
        self._start, self._first, self._duplicates = self._at, self.total + 1, []
        return part

    def _is_job_line(self, line: bytes, size: int) -> bool:
        if self.job_line is not None or (options := job_line_of(line)) is None:
            return False
        self.job_line = options
        self.job = with_job_line(self.job, options)
        self._estimate = TokenEstimate(self.job)
        self.begin = self._start = self._at + size
        return True


class _Numbers:
    """The records that go by their numbers: a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """*number* is larger than all before."""
        at, bit = divmod(number, 8)
        self._bits.extend(bytes(at + 1 - len(self._bits)))
        self._bits[at] |= 1 << bit

    def has_id(self, custom_id: str) -> bool:
        """Whether one of them is written so."""
        if not (custom_id.isascii() and custom_id.isdigit()) or len(custom_id) > _DIGITS or custom_id[0] == "0":
            return False
        at, bit = divmod(int(custom_id), 8)
        return at < len(self._bits) and bool(self._bits[at] >> bit & 1)


def _digest(custom_id: str) -> bytes:
    # 64 bits: among a million ids, the chance that any two meet is one in forty million.
    return blake2b(custom_id.encode(), digest_size=8).digest()


def job_line_of(line: bytes) -> Mapping[str, object] | None:
    """The options of a line ``{"job": {…}}``; None for any other line."""
    if len(line) > MAX_LINE_BYTES or not line.lstrip().startswith(b"{"):
        return None
    try:
        match from_json(line, allow_inf_nan=False):
            case {"job": dict() as options, **others} if not others:
                return options
            case _:
                return None
    except ValueError:
        return None


def with_job_line(job: Job, options: Mapping[str, object]) -> Job:
    """The job with the options of its first line, which may not change what the folder says. Raises Refused."""
    task = options.get("task", job.task)
    if task != job.task:
        raise Refused(f"The first line: task is {clip(str(task), 40)!r}, but this is a batch of {job.task}")
    added = {name: value for name, value in options.items() if name != "task"}
    try:
        changed = job_of(job.task, {**job.options, **added})
    except InvalidRequest as error:
        raise Refused(f"The first line: {error.message}") from None
    for name in ("style", "target_language_codes"):
        if changed.options.get(name) != job.options.get(name):
            raise Refused(f"The first line: {name} is not what the batch was submitted with")
    return changed
