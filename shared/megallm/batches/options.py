"""The options of a job: their names, their defaults, and how they are refused.

They come as JSON, or as text from an object's metadata. What ``job_of`` gives holds every option, so that a batch does
not change its mind when a default does.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NoReturn, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from pydantic_core import ErrorDetails

from megallm.batches.languages import canonical
from megallm.batches.model import TASKS, Job, TaskName
from megallm.errors import InvalidRequest, clip
from megallm.messages.calls import ApiVersion
from megallm.messages.requests import MAX_TOKENS

Style = Literal["bullet_points", "paragraph", "executive", "eli5"]
STYLES: tuple[str, ...] = get_args(Style)

MAX_ATTEMPTS = 10
MAX_TEXT_FIELDS = 10
MAX_FLAGS = 20

# Every option is bounded: all of them stand on the batch's record, which may have 400 KB.

Name = Annotated[str, Field(strict=True, min_length=1, max_length=256)]

HeaderText = Annotated[str, Field(strict=True, pattern=r"^[\x20-\x7e]{1,1024}$")]
Flag = Annotated[str, Field(strict=True, pattern=r"^[\x20-\x7e]{1,128}$")]


def _language(code: str) -> str:
    try:
        return canonical(code, param="language")
    except InvalidRequest as error:
        raise ValueError(error.message.removeprefix("language: ")) from None


def _source_language(code: str) -> str:
    return code if code == "auto" else _language(code)


class MessagesOptions(BaseModel):
    """What every task takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: Annotated[int, Field(strict=True, ge=1, le=MAX_ATTEMPTS)] = 3
    max_cost: Annotated[float, Field(strict=True, gt=0, le=1e9, allow_inf_nan=False)] | None = None  # US dollars
    dry_run: StrictBool = False
    client_token: Annotated[str, Field(strict=True, pattern=r"^[\x21-\x7e]{1,64}$")] | None = None


class SentOptions(MessagesOptions):
    """What the messages task takes besides: how its requests are sent, as the headers of a message say it."""

    anthropic_version: ApiVersion = "2023-06-01"
    anthropic_beta: Annotated[tuple[Flag, ...], Field(max_length=MAX_FLAGS)] = ()
    anthropic_user_profile_id: HeaderText | None = None
    anthropic_workspace_id: HeaderText | None = None


class TextOptions(MessagesOptions):
    """What the tasks take that make requests of texts. Without ``model`` and ``max_tokens`` the task's own are used."""

    id_field: Name | None = None  # custom_id, or else the record's number
    model: Name | None = None
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=MAX_TOKENS)] | None = None


class SummarizeOptions(TextOptions):
    """Several fields make one text, in their order."""

    text_fields: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_TEXT_FIELDS)] = ("text",)
    style: Style = "bullet_points"


class TranslateOptions(TextOptions):
    """One language and one field a batch."""

    text_fields: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)] = ("text",)
    source_language_code: Annotated[StrictStr, AfterValidator(_source_language)] = "auto"
    target_language_codes: Annotated[
        tuple[Annotated[StrictStr, AfterValidator(_language)], ...], Field(min_length=1, max_length=1)
    ]


Options = SentOptions | SummarizeOptions | TranslateOptions

_SHAPES: Mapping[TaskName, type[Options]] = {
    "summarize": SummarizeOptions,
    "translate": TranslateOptions,
    "messages": SentOptions,
}
_OPTIONS = frozenset(name for shape in _SHAPES.values() for name in shape.model_fields)
_LISTS = frozenset({"anthropic_beta", "text_fields", "target_language_codes"})
_NUMBERS = frozenset({"max_attempts", "max_cost", "max_tokens"})
_YES_OR_NO = {"true": True, "false": False}
_OURS = "megallm-"


def job_of(task: str, options: Mapping[str, object]) -> Job:
    """The job. Raises InvalidRequest, which names the option; ``job_of(job.task, job.options)`` is the job again."""
    name = _task(task)
    try:
        read = _SHAPES[name].model_validate(options)
    except ValidationError as error:
        _refuse(name, error.errors(include_url=False, include_input=True))
    return Job(name, read.model_dump(mode="json"))


def options_of(job: Job) -> Options:
    """The options of a job that ``job_of`` made, typed."""
    return _SHAPES[job.task].model_validate(job.options)


def max_microdollars(job: Job) -> int | None:
    """What the job may cost: ``Batch.max_microdollars``."""
    dollars = options_of(job).max_cost
    return None if dollars is None else max(1, round(dollars * 1e6))


def options_of_metadata(metadata: Mapping[str, str]) -> dict[str, object]:
    """The options among an object's metadata, such as ``max-cost`` or ``megallm-max-cost``: ``{"max_cost": 2.5}``.

    Lists are parted by commas. Other names are other programs' and stay unread, unless they begin with ``megallm-``.
    """
    options: dict[str, object] = {}
    for key, text in metadata.items():
        lowered = key.lower()
        name = lowered.removeprefix(_OURS).replace("-", "_")
        if name in _OPTIONS or lowered.startswith(_OURS):
            options[name] = _value(name, text.strip())
    return options


def _value(name: str, text: str) -> object:
    if name in _LISTS:
        return [part.strip() for part in text.split(",")]
    if name in _NUMBERS:
        return _number(text)
    return _YES_OR_NO.get(text.lower(), text) if name == "dry_run" else text


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text  # for the validation to refuse


def _task(task: str) -> TaskName:
    for name in _SHAPES:
        if task == name:
            return name
    raise InvalidRequest(f"task: {clip(task, 40)!r} is none; there are {', '.join(TASKS)}", param="task")


def _refuse(task: TaskName, errors: Sequence[ErrorDetails]) -> NoReturn:
    first = errors[0]
    path = ".".join(str(step) for step in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(_SHAPES[task].model_fields)
            text = f"{clip(path)}: no such option of {task}; there are {known}"
        case "missing":
            text = f"{path} is required"
        case "value_error":
            text = f"{path}: {first['msg'].removeprefix('Value error, ')}"
        case "literal_error":
            expected = first.get("ctx", {}).get("expected")
            text = f"{path}: {clip(str(first['input']), 40)!r} is none of {expected}"
        case _:
            text = f"{path}: {first['msg']}"
    raise InvalidRequest(text, param=clip(path))
