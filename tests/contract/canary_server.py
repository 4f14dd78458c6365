"""A server with the project's own logging, whose upstream fails as the request asks: a process for test_canaries.

Every failure quotes the prompt, as an upstream or a library may do.
"""

import asyncio
import gc
import sys
from collections.abc import Sequence

from functions.api.app import create_app
from functions.api.server import Server, build_server
from megallm import telemetry
from megallm.errors import UpstreamFailed
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from tests.fakes import ScriptedProvider, Step, gateway, text_reply


def fail_as_asked(call: Call[MessagesRequest]) -> Sequence[Step]:
    """A script that fails, with the prompt in the text of what is raised."""
    prompt = str(call.request.messages[0].content)
    inner = ValueError(f"upstream said: {prompt}")
    translated = UpstreamFailed("The upstream refused the call")
    translated.__cause__ = inner
    began = text_reply("Hello")[:3]
    match (call.request.metadata or {}).get("user_id"):
        case "crash":
            return [RuntimeError(prompt)]
        case "chained crash":
            crash = RuntimeError(f"while sending {prompt}")
            crash.__cause__ = inner
            return [crash]
        case "group":
            return [ExceptionGroup(prompt, [inner])]
        case "refused":
            return [translated]
        case "crash in the stream":
            return [*began, RuntimeError(prompt)]
        case "refused in the stream":
            return [*began, translated]
        case _:
            return text_reply("Hello")


async def main() -> None:
    """Serves until standard input ends; prints its port first."""
    telemetry.configure()
    server: Server

    def tell() -> None:
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)

    server = build_server(
        create_app(gateway(ScriptedProvider(fail_as_asked))), host="127.0.0.1", port=0, on_started=tell
    )
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving
    gc.collect()  # so that what a forgotten task would complain of is complained of


if __name__ == "__main__":
    asyncio.run(main())
