"""Where the bundle will run: Lambda's runtime for the Python that compiles it, and which wheels load there."""

import sys
from dataclasses import dataclass
from typing import Literal

from infra.options import Architecture

OLDEST, NEWEST = 11, 14
_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
# manylinux2014 is manylinux_2_17 by its older name.
_OLDEST_GLIBC = 17


class NoSuchRuntime(Exception):
    """Lambda does not have the Python that is at hand."""


@dataclass(frozen=True, slots=True)
class Target:
    """Python 3.``minor`` on one kind of processor."""

    minor: int
    architecture: Literal["arm64", "x86_64"]

    @property
    def runtime(self) -> str:
        """Lambda's name for it."""
        return f"python3.{self.minor}"

    @property
    def tags(self) -> list[str]:
        """The platform tags of wheels that load there, the newest first.

        Amazon Linux 2, under Python 3.11, has glibc 2.26; Amazon Linux 2023, under the later ones, 2.34.
        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        """
        machine = _MACHINES[self.architecture]
        newest = 26 if self.minor <= OLDEST else 34
        numbered = [f"manylinux_2_{glibc}_{machine}" for glibc in range(newest, _OLDEST_GLIBC - 1, -1)]
        return [*numbered, f"manylinux2014_{machine}"]


def target(architecture: Architecture, minor: int = sys.version_info.minor) -> Target:
    """For the option's value. Raises NoSuchRuntime."""
    if not OLDEST <= minor <= NEWEST:
        raise NoSuchRuntime(
            f"Lambda has no Python 3.{minor}: run make with PYTHON=python3.{OLDEST} to python3.{NEWEST}"
        )
    if architecture != "auto":
        return Target(minor, architecture)
    # jsonschema-rs has wheels for arm64 from glibc 2.28 on.
    return Target(minor, "x86_64" if minor == OLDEST else "arm64")
