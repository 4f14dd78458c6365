"""Errors as Lambda is told of them: a type as ``Category.Reason``, a message, and where they happened."""

import base64
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field

_PLACES = 12


@dataclass(frozen=True, slots=True)
class Failure:
    """One error. Lambda hands it on to whoever invoked the function, so it never quotes what a caller wrote."""

    type: str
    message: str
    places: tuple[str, ...] = field(default=())

    def to_wire(self) -> bytes:
        """The JSON body of a report."""
        error = {"errorMessage": self.message, "errorType": self.type, "stackTrace": list(self.places)}
        return json.dumps(error, ensure_ascii=False, separators=(",", ":")).encode()

    def to_trailers(self) -> Mapping[str, str]:
        """The trailers that tell of it behind a response that has begun."""
        return {
            "Lambda-Runtime-Function-Error-Type": self.type,
            "Lambda-Runtime-Function-Error-Body": base64.b64encode(self.to_wire()).decode(),
        }


UNREADABLE = Failure("Runtime.UnmarshalError", "The event is not a JSON object")
UNKNOWN = Failure("Function.UnknownEvent", "The event is no HTTP request of an API Gateway or a function URL")
NO_RESPONSE = Failure("Function.NoResponse", "The function ended without a response")
INCOMPLETE = Failure("Function.IncompleteResponse", "The function ended before its response was whole")


def crash(error: Exception) -> Failure:
    """What the app raised: nothing of the exception's text, which may quote a caller."""
    return Failure(f"Function.{type(error).__name__}", "The function failed; its log has the reason")


def failed_start(error: BaseException, kind: str | None = None) -> Failure:
    """Why the function cannot start. The text is for its operator: only settings and code are at fault here."""
    if kind is None:
        kind = "Runtime.ImportModuleError" if isinstance(error, ImportError) else f"Function.{type(error).__name__}"
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    return Failure(kind, str(error), tuple(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames))
