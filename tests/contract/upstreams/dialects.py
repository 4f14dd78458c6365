"""The four wire dialects of upstreams."""

from tests.contract.upstreams.bedrock import Converse, Invoke
from tests.contract.upstreams.chat import Chat
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.http_bytes import chunked, whole
from tests.contract.upstreams.listener import Received, Script
from tests.contract.upstreams.messages import Messages

DIALECTS: tuple[Dialect, ...] = (Chat(), Messages(), Invoke(), Converse())


def good(dialect: Dialect, received: Received) -> Script:
    """The good reply, as it was asked for."""
    if dialect.wants_stream(received):
        return chunked(dialect.frames(), dialect.stream_type)
    return whole(200, dialect.body())
