"""The conversation as llama.cpp is to see it: turns of pieces, each either ours or somebody's text."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a turn.

    Only in *markup*, which is the gateway's own, do the model's markers (``<tool_call>``) count as
    markers; everywhere else they are letters.
    """

    text: str
    markup: bool = False


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """Everything that one role says in a row."""

    role: Role
    pieces: tuple[Piece, ...]
