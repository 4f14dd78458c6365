"""What comes out of a build: two zip files, by path and hash. The stack gets no more of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Bundle:
    """``function`` has what every request loads, ``schemas`` the library that only checks of schemas load.

    ``digest`` is of what both were made from, so that building them again elsewhere deploys nothing anew. ``runtime``
    is Lambda's name of the Python that compiled the code.
    """

    function: Path
    schemas: Path
    digest: str
    runtime: str
    architecture: Literal["arm64", "x86_64"]
