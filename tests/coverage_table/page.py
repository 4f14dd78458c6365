"""The page: docs/coverage.md as text."""

from collections.abc import Iterator
from itertools import groupby

from tests.coverage_table.columns import COLUMNS, outcomes
from tests.coverage_table.rows import rows

COMMAND = "python -m tests.coverage_table > docs/coverage.md"

_INTRODUCTION = f"""# What each kind of upstream takes

Made by `{COMMAND}`; a test compares it with the code.

Each row is a request that the official SDK's types allow, with the part of it that the row names; each column is what
the gateway makes of it for one kind of upstream, by the compatibility table that ships for it.

- **native**: it goes to the upstream with its meaning, under whatever name that one has for it. What a server makes of
  it is its own: some take a user's id and do nothing with it.
- **adapted**: the request goes, and the response's `megallm-adapted` header says what became of this part. In strict
  mode it is refused.
- **refused**: a 400 that names the field.

`cache_control` changes no answer, but what it costs. Where it is left out, the header says so once for the request.

`bedrock` is InvokeModel with Claude, `converse` every other model of Bedrock, `embedded` the model of the local run.
Images by URL are refused where the upstream takes bytes alone, unless `MEGALLM_FETCH_IMAGE_URLS` is set. What one
model takes and another does not, a route of the catalogue says: see [the catalogue](catalogue.md).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    found = outcomes(rows())
    for section, of_section in groupby(found, key=lambda pair: pair[0].section):
        yield f"## {section}\n"
        yield f"| | {' | '.join(COLUMNS)} |"
        yield f"| --- |{' --- |' * len(COLUMNS)}"
        for row, cells in of_section:
            yield f"| {row.label} | {' | '.join(cells)} |"
        yield ""
