"""GET /docs: the OpenAPI description as a page that a person can read.

Plain HTML, made here: the usual viewers load their scripts from a foreign host into our origin, where a local
gateway asks for no key, and show nothing without a network.
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

Json = dict[str, Any]  # Any: an OpenAPI document

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid #8884; border-radius: 6px; }
h2 code { font-size: 1.1em; } summary { cursor: pointer; } :root { color-scheme: light dark; }
"""
_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


async def get_docs(request: Request) -> Response:
    """The page."""
    return HTMLResponse("".join(_page(request.app.openapi())), headers=_HEADERS)


def _page(document: Json) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    yield f'<h1>{title}</h1><p>{escape(info["summary"])}. For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(path, method, operation)
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>'
    yield "</html>"


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    yield f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2><p>{escape(operation['summary'])}."
    yield (
        " With a key: <code>x-api-key</code> or <code>Authorization: Bearer</code>." if "security" in operation else ""
    )
    yield "</p>"
    if "requestBody" in operation:
        yield f"<p>Body: {_link(operation['requestBody']['content']['application/json']['schema'])}</p>"
    for parameter in operation.get("parameters", ()):
        yield f"<p>{escape(parameter['in'].capitalize())}: <code>{escape(parameter['name'])}</code></p>"
    yield "<ul>"
    for status, response in operation["responses"].items():
        answers = " or ".join(
            f"{_link(content['schema'])} as {escape(media_type)}" for media_type, content in response["content"].items()
        )
        yield f"<li><b>{escape(status)}</b> {escape(response['description'])}: {answers}</li>"
    yield "</ul>"


def _link(schema: Json) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else escape(str(schema.get("description", "")))


def _json(schema: Json) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=2))}</pre>"
