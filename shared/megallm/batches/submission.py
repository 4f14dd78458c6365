"""The body of ``POST /v1/messages/batches``, cut into JSON lines while it arrives: one line a request, memory flat.

Feed bytes, get lines. The parameters of a request are not looked into: what is wrong with them becomes that item's
error, as in Anthropic's API. What is wrong with the batch as a whole raises InvalidRequest, and nothing is begun.
"""

import codecs
import json
import re
from typing import Any

from pydantic_core import from_json

from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.rows import MESSAGES_ID
from megallm.errors import InvalidRequest, RequestTooLarge

MAX_REQUESTS = 100_000

# How much is gathered before it is read: large enough that what stands unfinished at its end is seldom read again.
_WINDOW_LETTERS = 1024 * 1024
# A number, a literal or an escape that the window's end cuts apart is wrong this far before it, and no farther.
_CUT_LETTERS = 16

_MISSING = object()
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_ENDS = str.maketrans("\r\n", "  ")

ELSEWHERE = "drop a file into S3, or use `megallm batch submit`, which carry more"


class _Unfinished(Exception):
    """The window ends inside of what is being read."""


def _no_constant(name: str) -> Any:  # Any: never returns
    raise ValueError(f"{name} is not JSON")


class RequestSplitter:
    """Reads one body. ``count`` is how many requests it had so far."""

    def __init__(self, window_letters: int = _WINDOW_LETTERS) -> None:
        self.count = 0
        self._window_letters = window_letters
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder(parse_constant=_no_constant)
        self._text = ""
        self._arrived: list[str] = []
        self._arrived_letters = 0
        self._read_letters = 0  # of earlier windows, to tell where a fault is
        self._at = 0
        self._step = self._begin
        self._custom_ids: set[str] = set()
        self._found = False
        self._ended = False
        self._final = False
        self._lines: list[bytes] = []

    def feed(self, chunk: bytes) -> bytes:
        """The lines that these bytes complete, each with its line end. Raises InvalidRequest, RequestTooLarge."""
        text = self._decode(chunk, final=False)
        self._arrived.append(text)
        self._arrived_letters += len(text)
        if self._arrived_letters < self._window_letters:
            return b""
        return self._read()

    def finish(self) -> bytes:
        """The last lines. Raises InvalidRequest where the body is not whole, or has no requests."""
        self._arrived.append(self._decode(b"", final=True))
        self._final = True
        lines = self._read()
        if not self._found:
            raise InvalidRequest("requests is required", param="requests")
        if not self.count:
            raise InvalidRequest("requests: List should have at least 1 item", param="requests")
        return lines

    def _decode(self, chunk: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            raise InvalidRequest("The request body is not valid JSON: it is not UTF-8") from None

    def _read(self) -> bytes:
        self._read_letters += self._at
        self._text = self._text[self._at :] + "".join(self._arrived)
        self._arrived.clear()
        self._arrived_letters = 0
        self._at = 0
        try:
            while True:
                self._skip_space()
                begun = self._at
                if begun == len(self._text):
                    raise _Unfinished  # noqa: TRY301  it is taken anew like every step that is cut
                self._step()
        except _Unfinished:
            if self._final and not self._ended:
                raise self._invalid("it ends too early", len(self._text)) from None
            # The step is taken anew with the next window, from where it began.
            self._at = begun
            if len(self._text) - self._at > MAX_LINE_BYTES:
                raise self._too_large() from None
        lines = b"".join(self._lines)
        self._lines.clear()
        return lines

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _take(self, expected: str) -> str:
        """The next character, which must be one of these."""
        found = self._text[self._at]
        if found not in expected:
            raise self._invalid(f"{' or '.join(expected)} is expected", self._at)
        self._at += 1
        return found

    def _value(self) -> Any:  # Any: JSON of the caller's making
        try:
            value, end = self._json.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._refuse_unless_cut(error.msg, error.pos)
        except (RecursionError, ValueError):
            raise self._invalid("it holds a value that cannot be read", self._at) from None
        cut = end > len(self._text) - _CUT_LETTERS and not self._final
        if cut and self._text[end - 1] not in '"}]':
            raise _Unfinished  # a number may go on
        self._at = end
        return value

    def _refuse_unless_cut(self, what: str, where: int) -> None:
        cut = what.startswith("Unterminated string") or where >= len(self._text) - _CUT_LETTERS
        if cut and not self._final:
            raise _Unfinished from None
        raise self._invalid(what, where) from None

    # Each step reads one piece and says which comes next.

    def _begin(self) -> None:
        if self._text[self._at] != "{":
            raise InvalidRequest("The request body must be a JSON object")
        self._at += 1
        self._step = self._first_name

    def _first_name(self) -> None:
        if self._text[self._at] == "}":
            self._at += 1
            self._close()
        else:
            self._name()

    def _name(self) -> None:
        if self._text[self._at] != '"':
            raise self._invalid("a name in quotes is expected", self._at)
        name = self._value()
        if name != "requests":
            self._step = self._other_colon
        elif self._found:
            raise InvalidRequest("requests: is there twice", param="requests")
        else:
            self._step = self._requests_colon

    def _requests_colon(self) -> None:
        self._take(":")
        self._step = self._list

    def _other_colon(self) -> None:
        self._take(":")
        self._step = self._other_value

    def _other_value(self) -> None:
        self._value()
        self._step = self._after_value

    def _after_value(self) -> None:
        if self._take(",}") == ",":
            self._step = self._name
        else:
            self._close()

    def _close(self) -> None:
        self._ended = True
        self._step = self._nothing_more

    def _nothing_more(self) -> None:
        raise self._invalid("something follows its end", self._at)

    def _list(self) -> None:
        if self._text[self._at] != "[":
            raise InvalidRequest("requests: Input should be a list", param="requests")
        self._at += 1
        self._found = True
        self._step = self._first_request

    def _first_request(self) -> None:
        if self._text[self._at] == "]":
            self._at += 1
            self._step = self._after_value
        else:
            self._request()

    def _after_request(self) -> None:
        if self._take(",]") == ",":
            self._step = self._request
        else:
            self._step = self._after_value

    def _request(self) -> None:
        start = self._at
        if self._text[start] != "{":
            raise self._fault("Input should be an object")
        self._value()
        if self.count == MAX_REQUESTS:
            raise InvalidRequest(
                f"requests: List should have at most {MAX_REQUESTS} items; {ELSEWHERE}", param="requests"
            )
        line = self._text[start : self._at]
        if "\n" in line or "\r" in line:  # A string cannot hold them: they stand between tokens.
            line = line.translate(_LINE_ENDS)
        self._lines.append(self._checked(line.encode()))
        self._lines.append(b"\n")
        self.count += 1
        self._step = self._after_request

    def _checked(self, line: bytes) -> bytes:
        """The request as it was sent, so that its numbers and their order stay. Raises InvalidRequest."""
        if len(line) > MAX_LINE_BYTES:
            raise self._too_large()
        try:
            # The parser that will read the line: it takes less than the one that found its end.
            request = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            raise self._fault(f"is not valid JSON: {error}") from None
        custom_id = request.get("custom_id", _MISSING)
        if custom_id is _MISSING:
            raise self._fault("Field required", "custom_id")
        if not isinstance(custom_id, str) or MESSAGES_ID.fullmatch(custom_id) is None:
            raise self._fault("String should match pattern '^[a-zA-Z0-9_-]{1,64}$'", "custom_id")
        if custom_id in self._custom_ids:
            raise self._fault(f"{custom_id!r} is there twice; it must be unique", "custom_id")
        self._custom_ids.add(custom_id)
        params = request.get("params", _MISSING)
        if params is _MISSING:
            raise self._fault("Field required", "params")
        if not isinstance(params, dict):
            raise self._fault("Input should be an object", "params")
        return line

    def _fault(self, what: str, field: str = "") -> InvalidRequest:
        where = f"requests.{self.count}.{field}" if field else f"requests.{self.count}"
        return InvalidRequest(f"{where}: {what}", param=where)

    def _too_large(self) -> RequestTooLarge:
        where = f"requests.{self.count}"
        return RequestTooLarge(
            f"{where}: is larger than the {MAX_LINE_BYTES:,} bytes that one request of a batch may have", param=where
        )

    def _invalid(self, what: str, where: int) -> InvalidRequest:
        return InvalidRequest(f"The request body is not valid JSON: {what}, at character {self._read_letters + where}")
