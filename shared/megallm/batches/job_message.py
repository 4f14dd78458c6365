"""The job message: a job for the intake's queue, with its items inside of it or a pointer to them."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError, model_validator
from pydantic_core import from_json, to_json

from megallm.batches.model import OPERATOR, TASKS, Job, TaskName
from megallm.batches.options import job_of
from megallm.errors import InvalidRequest, clip

VERSION = 1
# Where an owner's inputs may be. Objects in the inbox are worked on when they are dropped; those in uploads wait.
ROOTS = ("uploads/", "inbox/")

_POINTER = re.compile(r"s3://(?P<bucket>[a-z0-9.-]{3,63})/(?P<key>.{1,1024})", re.DOTALL)
_OWNER = re.compile(r"[A-Za-z0-9]{8}", re.ASCII)


class JobMessage(BaseModel):
    """A message of the intake's queue. ``items`` are rows as a file's lines have them; ``source`` points to a file.

    ``owner`` is a key's id or ``operator``. ``client_token`` may stand here or among the options.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    task: StrictStr
    options: dict[str, Any] = {}  # Any: validated by the task
    items: Annotated[list[Any], Field(min_length=1)] | None = None  # Any: validated one by one, as lines are
    source: StrictStr | None = None
    owner: StrictStr = OPERATOR
    client_token: StrictStr | None = None

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.items is None) == (self.source is None):
            raise ValueError("source: either items or a source is required, and not both")
        if self.owner != OPERATOR and not is_key_id(self.owner):
            raise ValueError("owner: neither a key's id nor operator")
        if self.source is not None and not _POINTER.fullmatch(self.source):
            raise ValueError("source: it must be s3://<bucket>/<key>")
        if self.client_token is not None and self.options.get("client_token", self.client_token) != self.client_token:
            raise ValueError("client_token: the options have another one")
        return self

    def job(self) -> Job:
        """The validated job. Raises InvalidRequest."""
        token = {} if self.client_token is None else {"client_token": self.client_token}
        return job_of(self.task, {**self.options, **token})


def parse_job(body: bytes) -> JobMessage:
    """The message in a queue message's body. Raises InvalidRequest, which names the field."""
    try:
        payload = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"The job message is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise InvalidRequest("The job message must be a JSON object")
    if payload.get("version", VERSION) != VERSION:
        raise InvalidRequest(f"version: this gateway reads version {VERSION} of job messages", param="version")
    try:
        message = JobMessage.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = clip(".".join(str(step) for step in first["loc"]))
        text = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"{path}: {text}" if path else text, param=path or text.partition(":")[0]) from None
    message.job()
    return message


def task_in(body: bytes) -> TaskName:
    """What a message that is refused would have had done, as far as it can be read; messages where no task is."""
    try:
        payload = from_json(body)
    except ValueError:
        return "messages"
    named = payload.get("task") if isinstance(payload, dict) else None
    return next((task for task in TASKS if task == named), "messages")


def inline_lines(message: JobMessage) -> bytes:
    """The items of a message as JSON lines."""
    return b"".join([to_json(item) + b"\n" for item in message.items or ()])


def source_key(message: JobMessage, bucket: str) -> str:
    """The key of the object that a message points to.

    Raises InvalidRequest unless it is in the one bucket and below the owner's own prefix: otherwise whoever may send
    messages for one key could read what another has dropped.
    """
    match = _POINTER.fullmatch(message.source or "")
    if match is None or match["bucket"] != bucket:
        raise InvalidRequest(f"source: it must be in s3://{bucket}/", param="source")
    key = match["key"]
    if not _is_below(message.owner, key):
        prefixes = " or ".join(prefixes_of(message.owner))
        raise InvalidRequest(f"source: it must be below {prefixes}", param="source")
    return key


def is_key_id(owner: str) -> bool:
    """Whether this can be a key's id."""
    return _OWNER.fullmatch(owner) is not None


def prefixes_of(owner: str) -> tuple[str, ...]:
    """Where an owner's inputs may be."""
    return tuple(root if owner == OPERATOR else f"{root}keys/{owner}/" for root in ROOTS)


def _is_below(owner: str, key: str) -> bool:
    prefix = next((prefix for prefix in prefixes_of(owner) if key.startswith(prefix)), None)
    if prefix is None or {"", ".", ".."} & set(key.split("/")):
        return False
    return owner != OPERATOR or not key.startswith(f"{prefix}keys/")
