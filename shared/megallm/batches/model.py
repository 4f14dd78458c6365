"""What a batch and its parts are, as the stores keep them. Knows no file format, no task's template and no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, get_args

OPERATOR = "operator"  # who owns what was dropped outside of a key's own folder

TaskName = Literal["summarize", "translate", "messages"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)

# indexing: the input is being cut into parts. in_progress: parts are worked on. canceling: nothing new is begun.
# ended: every item has its result, or the batch as a whole was refused (``problem`` says why).
State = Literal["indexing", "in_progress", "canceling", "ended"]
# Why nothing new is begun. What was not done then is canceled, or expired.
StopReason = Literal["canceled", "expired", "max_cost"]

LIFETIME_SECONDS = 24 * 3600
ITEMS_A_PART = 1000
BYTES_A_PART = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """The input: an object of the one bucket, pinned to its version, and how its bytes are to be read.

    ``version`` is an S3 version id, or the ETag in quotes where the bucket keeps no versions. ``name`` is the file's
    own name, for the result files; ``size`` is in bytes.
    """

    key: str
    version: str
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Items by how they ended."""

    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """All that have ended."""
        return self.succeeded + self.errored + self.canceled + self.expired

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.succeeded + other.succeeded,
            self.errored + other.errored,
            self.canceled + other.canceled,
            self.expired + other.expired,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls used: tokens, their price in millionths of a US dollar, and how many calls there were.

    ``unpriced`` is how many of them were of models without a price: they are not in the price. Failed attempts count,
    too.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    microdollars: int = 0
    calls: int = 0
    unpriced: int = 0

    @property
    def dollars(self) -> float | None:
        """The price in US dollars; None where there were calls and nobody knows what any of them cost."""
        return None if self.calls and self.calls == self.unpriced else self.microdollars / 1e6

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.microdollars + other.microdollars,
            self.calls + other.calls,
            self.unpriced + other.unpriced,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with each item. ``options`` are the task's and the engine's, validated, as JSON values."""

    task: TaskName
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's record. Times are in seconds since 1970.

    ``problem`` is why the batch as a whole was refused: it has no items then. ``total`` and ``parts`` are known once
    the input is indexed. ``lines`` is the object that parts are ranges of: the source itself, or the JSON lines that
    were written of it; pinned, too. ``finished`` counts the items that have ended, as of the latest checkpoint of each
    part; ``counts`` those of the parts that are done. ``max_microdollars`` is the options' ``max_cost``; ``committed``
    is what of it was spent or is held by attempts at parts. ``estimated_tokens`` is what all items may use, replies
    included, and ``expected_end_at`` when that may be done, by the allowance that there was when the batch came; None
    where nothing limited it.
    """

    id: str
    owner: str
    job: Job
    source: Source
    state: State
    created_at: float
    expires_at: float
    lines: str = ""
    lines_version: str = ""
    total: int = 0
    parts: int = 0
    parts_done: int = 0
    finished: int = 0
    counts: Counts = Counts()
    spent: Spent = Spent()
    max_microdollars: int | None = None
    committed: int = 0
    estimated_tokens: int = 0
    expected_end_at: float | None = None
    stop: StopReason | None = None
    stop_requested_at: float | None = None
    ended_at: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A range of the lines: bytes ``start`` up to, not including, ``end``; ``first`` is its first record's number.

    Records are numbered from 1. ``duplicates`` are the numbers of records whose custom_id an earlier record has.
    ``attempt`` counts the claims and fences: what an older attempt writes is refused. ``segments`` is how many
    checkpoints were recorded, ``finished`` how many items had ended by the last of them. ``held`` is the money that is
    kept for the part, in millionths of a US dollar: a later attempt inherits what an earlier one did not give back.
    ``late`` names what attempts spent and could not count, and what was counted for them.

    ``deaths`` counts the attempts in a row that began to carry out items and never told how that ended, and of which no
    item was left that had ended; ``begun_with`` is how many had when the latest of them began.
    """

    batch_id: str
    number: int
    start: int
    end: int
    first: int
    items: int
    duplicates: tuple[int, ...] = ()
    attempt: int = 0
    leased_until: float = 0.0
    queued_at: float = 0.0
    segments: int = 0
    finished: int = 0
    held: int = 0
    late: frozenset[str] = frozenset()
    deaths: int = 0
    begun_with: int = 0
    done: bool = False

    def held_after(self, microdollars: int) -> int:
        """What is left of ``held`` once so much was spent."""
        return max(0, self.held - microdollars)


def batch_id_of(*what: str) -> str:
    """The id that follows from what a batch is made of, such as an object's bucket, key and version."""
    return f"msgbatch_{_digest('batch', *what)}"


def message_id_of(batch_id: str, record: int) -> str:
    """The id of an item's message: the same after every repetition."""
    return f"msg_{_digest('message', batch_id, str(record))}"


def request_id_of(batch_id: str, record: int) -> str:
    """The request id in an item's error."""
    return f"req_{_digest('request', batch_id, str(record))}"


def _digest(*what: str) -> str:
    return sha256("\0".join(what).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def lines_key(batch_id: str) -> str:
    """JSON lines that were written of an input that cannot be cut by bytes."""
    return f"work/{batch_id}/input.jsonl"


def segment_key(part: Part, segment: int) -> str:
    """The results since the last checkpoint of one attempt at a part."""
    return f"{segments_prefix(part)}{segment_name(part, segment)}.jsonl"


def segment_name(part: Part, segment: int) -> str:
    """What the segment is called among those of its part."""
    return f"{part.attempt:04}-{segment:06}"


def segments_prefix(part: Part) -> str:
    """Where all checkpoints of a part are."""
    return f"work/{part.batch_id}/{part.number:06}/"


def part_key(batch_id: str, number: int) -> str:
    """A finished part's results, readable while the others run."""
    return f"results/{batch_id}/parts/{number:06}.jsonl"


def part_errors_key(batch_id: str, number: int) -> str:
    """The lines of errors.jsonl that a finished part has."""
    return f"results/{batch_id}/parts/{number:06}.errors.jsonl"


def result_key(batch_id: str, name: str) -> str:
    """One of the finished files: results.jsonl, errors.jsonl, manifest.json."""
    return f"results/{batch_id}/{name}"
