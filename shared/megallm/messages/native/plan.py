"""What is to be changed in a request before its upstream gets it, gathered before anything is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Union

from megallm.errors import InvalidRequest, clip
from megallm.messages.calls import Adaptation

EditTree = dict[str | int, Union["EditTree", str, None]]
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Plan:
    """``edits`` as ``splice`` takes them, ``renamed`` fields and their new paths, ``adaptations`` to tell."""

    edits: EditTree = field(default_factory=dict)
    renamed: list[tuple[Path, Path]] = field(default_factory=list)
    adaptations: list[Adaptation] = field(default_factory=list)

    def put(self, path: Sequence[str | int], edit: str | None) -> None:
        """Replaces what stands there by a JSON text, or removes it; nothing where a part of the path is removed."""
        node = self.edits
        for step in path[:-1]:
            inner = node.setdefault(step, {})
            if not isinstance(inner, dict):
                return
            node = inner
        node[path[-1]] = edit

    def drop(self, path: Sequence[str | int]) -> None:
        """Removes what stands there, and says so."""
        self.put(path, None)
        self.adaptations.append(Adaptation(dotted(path), "dropped"))

    def removes(self, path: Sequence[str | int]) -> bool:
        """Whether what stands there goes, by itself or with what is around it."""
        node: EditTree | str | None = self.edits
        for step in path:
            if not isinstance(node, dict) or step not in node:
                return False
            if (node := node[step]) is None:
                return True
        return False


def dotted(path: Sequence[str | int]) -> str:
    """A path as callers read it."""
    return ".".join(clip(str(step)) for step in path)


def refused(path: Sequence[str | int], what: str) -> InvalidRequest:
    """The error for what cannot be honoured on this route."""
    where = dotted(path)
    return InvalidRequest(f"{where}: {what} cannot be sent to this model's provider", param=where)
