"""How a response tells what the chosen upstream could not take as it was sent (contract C04)."""

from collections.abc import Sequence
from urllib.parse import quote

from megallm.messages.calls import Adaptation

HEADER = "megallm-adapted"
MAX_BYTES = 1024
_MORE = "more=omitted"


def header_value(adaptations: Sequence[Adaptation]) -> str:
    """``<field>=<what was done>, …``, percent-encoded since clients choose the names, 1 KB at most.

    Where not all fit, the last entry is ``more=omitted``.
    """
    value = ""
    for adaptation in adaptations:
        entry = f"{quote(adaptation.field, safe='._-')}={quote(adaptation.change, safe='._-')}"
        longer = f"{value}, {entry}" if value else entry
        if len(longer) > MAX_BYTES - len(_MORE) - 2:
            return f"{value}, {_MORE}" if value else _MORE
        value = longer
    return value
