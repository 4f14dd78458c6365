# ruff: noqa: S603, T201  # It starts a compiler with arguments of its own making, and talks to its user.
"""Which pins there are and how each file is compiled: `make update` writes them all anew.

A release less than a week old is not taken: a hijacked one is usually found by then.
"""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
QUARANTINE = timedelta(days=7)

FLAGS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]
# The contract names this SDK's newest versions, so they cannot wait a week.
EXEMPT = "anthropic"
# Each file: what uv reads, and what stands on its standard input.
SOURCES: dict[str, tuple[list[str], str]] = {
    "lambda.txt": (["pyproject.toml"], ""),
    "local.txt": (["pyproject.toml", "--extra", "local"], ""),
    "infra.txt": (["pyproject.toml", "--extra", "infra"], ""),
    "dev.txt": (["pyproject.toml", "--extra", "local", "--extra", "infra", "--group", "dev"], ""),
    # An AWS to deploy the stack into, for the tests: it pins botocore, so it has an environment of its own.
    "ministack.txt": (["-"], "ministack\n"),
    "sdk-old.txt": (["-"], "anthropic==0.116.*\n"),
    # Only for `make bench`: the peers whose requests per second stand in the table.
    "ant2oai.txt": (["-"], "ant2oai\n"),
    "litellm.txt": (["-"], "litellm[proxy]\n"),
    "rolter.txt": (["-"], "rolter\n"),
}


def main() -> int:
    """Compiles every file; stops at the first that cannot be."""
    now = datetime.now(UTC)
    newest = ["--exclude-newer", _day(now - QUARANTINE), "--exclude-newer-package", f"{EXEMPT}={_day(now)}"]
    for name, (source, text) in SOURCES.items():
        print(f"requirements/{name}", flush=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", *source, *FLAGS, *newest]
        command += ["--upgrade", "--quiet", "--output-file", f"requirements/{name}"]
        status = subprocess.run(command, cwd=ROOT, input=text, text=True, check=False).returncode
        if status:
            return status
    print("Now run `make test`, and read what changed: git diff requirements/")
    return 0


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT00:00:00Z")


if __name__ == "__main__":
    sys.exit(main())
