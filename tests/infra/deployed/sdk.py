"""The official SDK before the deployed stack: the addresses that it is told lead where the emulator serves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import anthropic
import httpx2
from anthropic.types.messages import MessageBatchIndividualResponse

from tests.infra.deployed.deployment import Deployed


class _Rebased(httpx2.BaseTransport):
    """Sends what is asked for below *told* to the same path below *served*.

    The SDK takes a batch's `results_url` as it is. The gateway makes it of the host and the stage that its event names:
    in the account that is the API's own address. The emulator's event names the emulator's host, and an API there is
    served below a path that no event tells.
    """

    def __init__(self, told: str, served: str) -> None:
        self._told = told
        self._served = served
        self._network = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = str(request.url)
        if asked.startswith(self._told):
            request.url = httpx2.URL(self._served + asked.removeprefix(self._told))
            request.headers["host"] = request.url.netloc.decode("ascii")
        return self._network.handle_request(request)

    def close(self) -> None:
        self._network.close()


@contextmanager
def sdk(deployed: Deployed, key: str, *, base_url: str) -> Iterator[anthropic.Anthropic]:
    """A client of *base_url*, which also serves what the gateway calls its own addresses."""
    told = f"https://{urlsplit(deployed.emulator.endpoint_url).netloc}/prod/"
    http = httpx2.Client(transport=_Rebased(told, f"{base_url}/"))
    with anthropic.Anthropic(base_url=base_url, api_key=key, http_client=http, max_retries=0, timeout=60) as client:
        yield client


def answers(results: Iterable[MessageBatchIndividualResponse]) -> list[tuple[str, str]]:
    """What was answered to each item; all of them have to have succeeded."""
    found = []
    for line in results:
        assert line.result.type == "succeeded", line
        (block,) = line.result.message.content
        assert block.type == "text"
        found.append((line.custom_id, block.text))
    return found
