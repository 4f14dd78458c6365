"""The entry for AWS's Lambda Web Adapter, which brings each event as an HTTP request to this function's own loopback.

``adapter-start`` runs it as a program; the adapter's layer is around it (docs/deploy.md, ``streaming=adapter``).
"""

import asyncio
import os

from functions.api.app import create_app
from functions.api.server import build_server
from functions.heap import settle
from megallm import telemetry
from megallm.composition import compose
from megallm.settings import Settings

_HOST = "127.0.0.1"


async def serve(port: int) -> None:
    """Until Lambda stops the process."""
    gateway = compose(Settings.from_environ(os.environ))
    server = build_server(create_app(gateway), host=_HOST, port=port, on_started=settle)
    try:
        await server.serve()
    finally:
        await gateway.aclose()


if __name__ == "__main__":
    telemetry.configure()
    asyncio.run(serve(int(os.environ["AWS_LWA_PORT"])))
