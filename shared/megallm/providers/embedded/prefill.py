"""Lets a reply go on from a prefill that ends in a space.

These models' tokens hold the space before a word, so that after a prefill's own they write a second one,
or lose the thread. So the prefill's last space is taken back, the model is made to begin with it, and
it is dropped from the reply. A line break is a token of its own and stays.
"""

import json

from megallm.providers.embedded.prompt import Piece, PromptTurn


def take_back_space(turn: PromptTurn) -> tuple[PromptTurn, str]:
    """The turn without its last space (or tab), and that space; ``""`` where there is none, or nothing else."""
    pieces = list(turn.pieces)
    while pieces and not pieces[-1].text:
        pieces.pop()
    text = pieces[-1].text if pieces else ""
    last = text[-1:]
    if not last.isspace() or last in "\r\n" or pieces[-1].markup:
        return turn, ""
    shorter = PromptTurn(turn.role, (*pieces[:-1], Piece(text[:-1])))
    if not any(piece.text.strip() for piece in shorter.pieces):
        return turn, ""
    return shorter, last


def grammar_beginning_with(space: str) -> str:
    """llama.cpp's grammar of any text that begins so."""
    return f"root ::= {json.dumps(space)} [^\\x00]*"
