# ruff: noqa: S603, T201  # It starts the CDK CLI with arguments of its own making, and talks to its user.
"""What `make synth`, `diff`, `deploy`, `destroy` and `bootstrap` do: checks first, then the CDK CLI, then clear words.

    python -m infra.run deploy

Choices come from the environment: CONTEXT="streaming=off log_days=7", AWS_PROFILE, AWS_REGION.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from infra import cli
from infra.checks import Account, NotReady, bedrock_state, check_access, check_account, missing_models
from infra.options import BrokenOptions, Options
from infra.told import after_deploy, after_destroy
from infra.upstreams import UndeployableCatalog
from megallm.catalog.file_format import BrokenCatalog
from megallm.composition.catalogue import load_catalog

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "cdk.out"
_OUTPUTS = OUT / "outputs.json"
_COMMANDS = ("synth", "diff", "deploy", "destroy", "bootstrap")


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) != 1 or arguments[0] not in _COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        context = chosen(os.environ.get("CONTEXT", ""))
        options = Options.from_context(all_context(ROOT, context))
        return _run(arguments[0], context, options)
    except (BrokenCatalog, BrokenOptions, NotReady, UndeployableCatalog, cli.NoCli, BotoCoreError) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1


def chosen(text: str) -> dict[str, str]:
    """``name=value`` words, quoted as in a shell. Raises BrokenOptions."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BrokenOptions(f"CONTEXT: {error}") from None
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals:
            raise BrokenOptions(f"CONTEXT: {name} has no value; write it as name=value")
    return {name: value for name, _, value in pairs}


def all_context(folder: Path, context: Mapping[str, str]) -> dict[str, object]:
    """What the CDK CLI will make of its two files and of *context*, for the checks that come before it."""
    found: dict[str, object] = dict(json.loads((folder / "cdk.json").read_text())["context"])
    cached = folder / "cdk.context.json"
    if cached.is_file():
        found |= json.loads(cached.read_text())
    return {**found, **context}


def session(environ: Mapping[str, str]) -> boto3.Session:
    """With the region that the CDK CLI will take: boto3 itself does not read AWS_REGION."""
    return boto3.Session(region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"))


def _run(command: str, context: Mapping[str, str], options: Options) -> int:
    match command:
        case "synth":
            # Nothing is asked of AWS, so nobody waits for a machine's credentials that are not there.
            status = _cdk(["synth", "--quiet"], context, {"AWS_EC2_METADATA_DISABLED": "true"})
            if status == 0:
                print(f"\nThe template is {OUT / options.name}.template.json")
            return status
        case "bootstrap":
            account, region = check_access(session(os.environ))
            print(f"Bootstrapping CDK in account {account} in {region}.")
            return _cdk(["bootstrap"], context)
        case "diff":
            check_account(session(os.environ), options.name)
            return _cdk(["diff"], context)
        case "destroy":
            check_account(session(os.environ), options.name)
            status = _cdk(["destroy"], context)
            if status == 0:
                print(after_destroy(options))
            return status
        case _:
            return _deploy(context, options)


def _deploy(context: Mapping[str, str], options: Options) -> int:
    ours = session(os.environ)
    account = check_account(ours, options.name)
    print(f"Deploying {options.name} to account {account.id} in {account.region}.")
    missing = missing_models(load_catalog(options.catalog), bedrock_state(ours))
    if missing:
        print("\nBedrock does not let this account call these models of the catalogue yet (docs/deploy.md):")
        print("".join(f"  {line}\n" for line in missing))
    status = _cdk(deploy_arguments(account), context)
    if status == 0:
        outputs = json.loads(_OUTPUTS.read_text())[options.name]
        print(after_deploy(outputs, account.region, os.environ.get("AWS_PROFILE")))
    return status


def deploy_arguments(account: Account) -> list[str]:
    """Tables and bucket of an earlier stack become this one's."""
    kept = ["--import-existing-resources"] if account.kept else []
    return ["deploy", "--outputs-file", str(_OUTPUTS), *kept]


def _cdk(arguments: list[str], context: Mapping[str, str], environment: Mapping[str, str] | None = None) -> int:
    given = [word for name, value in context.items() for word in ("--context", f"{name}={value}")]
    app = f"{shlex.quote(sys.executable)} -m infra.app"
    return subprocess.run(
        [*cli.cdk(), *arguments, "--app", app, "--output", str(OUT), *given],
        cwd=ROOT,
        env={
            **cli.environment(),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            **(environment or {}),
        },
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
