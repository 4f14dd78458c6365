"""What stands before the payload of a streamed response: its status and headers as JSON, and a mark.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from collections.abc import Iterable

from pydantic_core import to_json

_MARK = b"\0" * 8


def to_wire(status: int, headers: Iterable[tuple[bytes, bytes]], *, format_version: str) -> bytes:
    """The prelude for an event of this format.

    API Gateway's format 1.0 takes repeated headers as lists; 2.0, which function URLs have, takes one line a
    name, and cookies apart.
    """
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    prelude: dict[str, object] = {"statusCode": status}
    if format_version == "2.0":
        cookies = values.pop("set-cookie", None)
        prelude["headers"] = {name: ", ".join(each) for name, each in values.items()}
        if cookies:
            prelude["cookies"] = cookies
    else:
        prelude["headers"] = {name: each[0] for name, each in values.items() if len(each) == 1}
        prelude["multiValueHeaders"] = {name: each for name, each in values.items() if len(each) > 1}
    return to_json(prelude) + _MARK
