"""The event loop of the batch functions' tests, here too."""

from tests.functions.conftest import loop

__all__ = ["loop"]
