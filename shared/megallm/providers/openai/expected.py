"""What the translation of a request tells the reading of its reply: the seam between the two directions."""

from collections.abc import Callable, Mapping

from megallm.messages.frozen import frozen


@frozen
class Expected:
    """What the request says about reading its reply.

    ``route`` names who produces the thinking, for ``sign(route, thinking)``, which gives its signature (contract
    C15). ``new_tool_id`` makes an id where the upstream sends none, or one that was used before. ``tool_names`` maps
    names as they were sent upstream to those that the client knows (C20); other names pass. ``stop_sequences`` are
    matched by us (C12). ``input_estimate`` is what message_start says of the input tokens (C25). A reply that
    begins by repeating ``prefill``, the text of a trailing assistant turn, loses it (C05). ``redact`` takes our keys
    out of the text of an error.
    """

    route: str
    sign: Callable[[str, str], str]
    new_tool_id: Callable[[], str]
    tool_names: Mapping[str, str]
    stop_sequences: tuple[str, ...] = ()
    input_estimate: int = 1
    prefill: str = ""
    redact: Callable[[str], str] = str
