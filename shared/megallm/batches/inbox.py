"""What the key of a dropped object says: whose it is, what is to be done with it, and what its file is called.

inbox/summarize/<style>/NAME    inbox/translate/<language>/NAME    inbox/messages/NAME
inbox/keys/<key-id>/…           the same, for the key that has this id
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from megallm.batches.formats import check_name
from megallm.batches.languages import canonical
from megallm.batches.model import OPERATOR, TASKS, Job, TaskName
from megallm.batches.options import STYLES, job_of, options_of_metadata
from megallm.batches.refused import Refused
from megallm.errors import InvalidRequest, clip

ROOT = "inbox/"
KEYS = "keys"
_KEY_ID = re.compile(r"[A-Za-z0-9]{8}", re.ASCII)
_LAYOUT = "inbox/summarize/<style>/NAME, inbox/translate/<language>/NAME, inbox/messages/NAME"


@dataclass(frozen=True, slots=True)
class Target:
    """``owner`` is a key's id or OPERATOR. ``options`` are those that the folder gives; others may be added."""

    owner: str
    task: TaskName
    options: Mapping[str, object]
    name: str


def owner_of(key: str) -> str:
    """Whose the object is, also where nothing else about its key is right: a refusal has an owner, too."""
    match key.removeprefix(ROOT).split("/"):
        case ["keys", key_id, *_] if _KEY_ID.fullmatch(key_id):
            return key_id
        case _:
            return OPERATOR


def task_of(key: str) -> TaskName:
    """What is to be done with the object, also where nothing else about its key is right; messages where no task is."""
    folders = key.removeprefix(ROOT).split("/") if key.startswith(ROOT) else []
    if folders[:1] == [KEYS]:
        folders = folders[2:]
    return next((task for task in TASKS if folders[:1] == [task]), "messages")


def target_of(key: str) -> Target:
    """What is to be done with the object that has this (decoded) key. Raises Refused, which says what is allowed."""
    owner = owner_of(key)
    folders = key.removeprefix(ROOT).split("/")
    if not key.startswith(ROOT):
        raise Refused(f"{clip(key)!r} is outside of the inbox; there are {_LAYOUT}")
    if folders[0] == KEYS:
        if owner == OPERATOR:
            raise Refused(f"{clip(folders[1] if len(folders) > 1 else '')!r} is no key's id: inbox/keys/<key-id>/…")
        folders = folders[2:]
    match folders:
        case ["summarize", style, *rest] if rest:
            if style not in STYLES:
                raise Refused(f"{clip(style, 40)!r} is no style of summaries; there are {', '.join(STYLES)}")
            return _target(owner, "summarize", {"style": style}, rest)
        case ["translate", language, *rest] if rest:
            return _target(owner, "translate", {"target_language_codes": [_language(language)]}, rest)
        case ["messages", *rest] if rest:
            return _target(owner, "messages", {}, rest)
        case [task, *_] if task in TASKS:
            raise Refused(f"A folder is missing in {clip(key)!r}; there are {_LAYOUT}")
        case [task, *_]:
            raise Refused(f"{clip(task, 40)!r} is no task; there are {_LAYOUT}")
        case _:
            raise Refused(f"There is no task in {clip(key)!r}; there are {_LAYOUT}")


def _target(owner: str, task: TaskName, options: Mapping[str, object], rest: list[str]) -> Target:
    name = rest[-1]
    if not name:
        raise Refused("A folder is no file")
    check_name(name, task)
    return Target(owner, task, options, name)


def _language(code: str) -> str:
    try:
        return canonical(code, param="translate")
    except InvalidRequest as error:
        raise Refused(error.message) from None


def job_of_drop(target: Target, metadata: Mapping[str, str]) -> Job:
    """The job that folder and metadata make; the folder's options are not for the metadata to change. Raises Refused.

    A first line of the file may add further ones: ``indexing.with_job_line``.
    """
    added = options_of_metadata(metadata)
    if clash := next((name for name in added if name in target.options), None):
        raise Refused(f"{clash}: the folder says it; the metadata must not")
    try:
        return job_of(target.task, {**added, **target.options})
    except InvalidRequest as error:
        raise Refused(error.message) from None
