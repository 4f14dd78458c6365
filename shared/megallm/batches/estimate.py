"""How many tokens an item will use, guessed from its row: a quarter of its bytes, and a reply.

A reply is taken to be as long as what it answers, but no shorter than SHORT_REPLY_TOKENS and no longer than its
``max_tokens``: the limit alone says little, since many clients always ask for the most that there is.
"""

from pydantic_core import to_json

from megallm.batches.model import Job
from megallm.batches.rows import Row
from megallm.batches.templates import SUMMARY_TOKENS, request_of
from megallm.messages.base64_files import base64_files

SHORT_REPLY_TOKENS = 100
FILE_TOKENS = 1600  # of an image or a file, whatever its size: what is usual of an image
_BYTES_A_TOKEN = 4
_FILE = b'"base64"'


class TokenEstimate:
    """Of the items of one job. Knows a text task's prompt, which stands around every text."""

    def __init__(self, job: Job) -> None:
        self._is_sent_as_it_comes = job.task == "messages"
        given = job.options.get("max_tokens")
        self._most = given if isinstance(given, int) else None
        self._prompt = 0
        if job.task != "messages":
            self._prompt = len(to_json(request_of(job, ""))) // _BYTES_A_TOKEN
        if job.task == "summarize" and self._most is None:
            self._most = SUMMARY_TOKENS

    def of(self, row: Row) -> int:
        """Input and reply together. It is asked of each line of an input: no call here but where there are files."""
        tokens = len(row.original) // _BYTES_A_TOKEN
        most = self._most
        if self._is_sent_as_it_comes:
            if _FILE in row.original:
                tokens = _with_files(row)
            params = row.fields.get("params")
            most = params.get("max_tokens") if isinstance(params, dict) else None
            if type(most) is not int:
                most = None
        reply = tokens if tokens > SHORT_REPLY_TOKENS else SHORT_REPLY_TOKENS
        if most is not None and most < reply:
            reply = most if most > 0 else 0
        return self._prompt + tokens + reply


def _with_files(row: Row) -> int:
    letters = files = 0
    for _, data in base64_files(row.fields):
        letters += len(data)
        files += min(FILE_TOKENS, len(data) // _BYTES_A_TOKEN)
    return (len(row.original) - letters) // _BYTES_A_TOKEN + files
