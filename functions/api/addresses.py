"""The address of this gateway as its client knows it, for the URLs that a reply has in it."""

import re

from starlette.requests import Request

# A name or an address, and a port. What else a Host header holds goes into no URL.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


def base_url(request: Request) -> str:
    """Scheme, host and, behind API Gateway, the stage, without a slash at the end.

    Empty where the request does not tell its host: what follows is then a path, which the SDKs take as well.
    """
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        return ""
    # A proxy that ends TLS says so here. Whoever lies in it gets a wrong URL in their own reply.
    scheme = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    if scheme not in ("http", "https"):
        scheme = request.url.scheme
    return f"{scheme}://{host}{_prefix(request)}"


def _prefix(request: Request) -> str:
    """What stands before the path that we see: a stage (``/prod``) or a custom domain's base path."""
    event = request.scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, dict) else None
    asked_for = context.get("path") if isinstance(context, dict) else None
    path = request.scope["path"]
    if isinstance(asked_for, str) and asked_for.endswith(path):
        return asked_for.removesuffix(path)
    return str(request.scope.get("root_path", ""))
