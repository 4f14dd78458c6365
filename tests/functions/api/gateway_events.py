"""Events as API Gateway sends them to the function, from the samples beside this module, and its answers read back."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Json = Any  # events and answers of AWS's making

Kind = Literal["rest_v1", "http_v2"]
KINDS: tuple[Kind, ...] = ("rest_v1", "http_v2")

_SAMPLES = Path(__file__).parent / "events"


def event(
    kind: Kind,
    method: str = "POST",
    path: str = "/v1/messages",
    *,
    body: bytes | None = None,
    headers: Mapping[str, str | None] | None = None,
    query: str = "",
    in_base64: bool = False,
    source_ip: str = "198.51.100.7",
) -> Json:
    """One request as this kind of API hands it on; a header that is None is left out."""
    sample = json.loads((_SAMPLES / f"{kind}.json").read_text())
    _set_headers(sample, headers or {})
    if body is None:
        sample["body"] = None
        if kind == "http_v2":
            del sample["body"]
    else:
        sample["body"] = base64.b64encode(body).decode() if in_base64 else body.decode()
        sample["isBase64Encoded"] = in_base64
    context = sample["requestContext"]
    if kind == "rest_v1":
        sample |= {"httpMethod": method, "path": path, "pathParameters": {"proxy": path.removeprefix("/")}}
        context |= {"httpMethod": method, "path": f"/prod{path}"}
        context["identity"]["sourceIp"] = source_ip
        if query:
            pairs = [pair.partition("=") for pair in query.split("&")]
            sample["queryStringParameters"] = {name: value for name, _, value in pairs}
            sample["multiValueQueryStringParameters"] = {
                name: [value for other, _, value in pairs if other == name] for name, _, _ in pairs
            }
    else:
        sample |= {"rawPath": path, "rawQueryString": query}
        context["http"] |= {"method": method, "path": path, "sourceIp": source_ip}
    return sample


def _set_headers(sample: Json, headers: Mapping[str, str | None]) -> None:
    for name, value in headers.items():
        for present in [each for each in sample["headers"] if each.lower() == name.lower()]:
            del sample["headers"][present]
            sample.get("multiValueHeaders", {}).pop(present, None)
        if value is not None:
            sample["headers"][name] = value
            if "multiValueHeaders" in sample:
                sample["multiValueHeaders"][name] = [value]


def body_of(answer: Json) -> bytes:
    """The bytes that the gateway would send on."""
    text: str = answer["body"]
    return base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
