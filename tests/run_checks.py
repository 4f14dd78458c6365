"""Runs every check, one after the other, and ends with a summary: `make test`, and with --fast `make check`."""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
CODE = ("functions", "infra", "shared", "tests", "requirements")
# What proves the translations, whose every branch must be run: measuring that takes time, so nothing else is measured.
OF_THE_TRANSLATIONS = ("tests/messages", "tests/providers", "tests/properties")


@dataclass(frozen=True, slots=True)
class Check:
    """One command and what it shows."""

    name: str
    command: tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check went."""

    check: Check
    passed: bool
    seconds: float


def checks(*, fast: bool, no_skips: bool) -> list[Check]:
    """The fast ones first: a typing error need not wait for the tests."""
    # A file's tests share what they start. xdist's groups would do nothing: 3.8 notes them in node ids, and pytest 9.2
    # does not read them back.
    pytest: tuple[str | Path, ...] = (BIN / "pytest", "-q", "-n", "auto", "--dist", "loadfile")
    if fast:
        pytest = (*pytest, "-m", "not slow")
    if no_skips:
        pytest = (*pytest, "--no-skips")
    return [
        Check("format", (BIN / "ruff", "format", "--check", "--quiet", *CODE)),
        Check("lint", (BIN / "ruff", "check", "--quiet", *CODE)),
        Check("types", (BIN / "mypy", "functions", "infra", "shared/megallm", "tests", "requirements")),
        Check("import rules", (BIN / "lint-imports",)),
        *([] if fast else [Check("JavaScript SDKs", (sys.executable, "-m", "tests.contract.js.install"))]),
        *([Check("tests", pytest)] if fast else _measured(pytest)),
    ]


def _measured(pytest: tuple[str | Path, ...]) -> list[Check]:
    """All tests, in two parts: each is run once, and the first part with its coverage. pyproject.toml says of what."""
    others = tuple(f"--ignore={folder}" for folder in OF_THE_TRANSLATIONS)
    # --cov stands last: it would take a folder behind it for what is to be measured.
    return [Check("translations", (*pytest, *OF_THE_TRANSLATIONS, "--cov")), Check("other tests", (*pytest, *others))]


def main() -> int:
    """The exit status: 0 where all passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="leave out what starts processes or runs a model")
    parser.add_argument("--no-skips", action="store_true", help="a skipped test is a failure")
    arguments = parser.parse_args()
    outcomes = [_run(check) for check in checks(fast=arguments.fast, no_skips=arguments.no_skips)]
    print()
    for outcome in outcomes:
        print(f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.check.name:16} {outcome.seconds:6.1f} s")
    failed = [outcome.check.name for outcome in outcomes if not outcome.passed]
    print(f"\n{'All checks passed.' if not failed else 'Failed: ' + ', '.join(failed)}")
    return 1 if failed else 0


def _run(check: Check) -> Outcome:
    print(f"--- {check.name}", flush=True)
    began = time.monotonic()
    finished = subprocess.run(check.command, cwd=ROOT, check=False)
    return Outcome(check, finished.returncode == 0, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
