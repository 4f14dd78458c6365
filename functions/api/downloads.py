"""A large file as a response: its pieces leave no faster than the client reads them."""

from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.api.disconnect import watching
from megallm.operations.batch_results import ResultsFile


class Download(Response):
    """A 200 with JSON lines. Its length is told, so that the client notices where it breaks off."""

    media_type = "application/x-jsonl"

    def __init__(self, file: ResultsFile) -> None:
        super().__init__(headers={"content-length": str(file.size)})
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._file.pieces) as pieces, watching(receive):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
