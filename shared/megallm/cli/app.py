"""Which commands there are: the tree of the `megallm` command."""

from typing import Annotated

import typer

from megallm import __version__
from megallm.cli import batch, connect, dev, keys, models, usage

app = typer.Typer(
    name="megallm",
    help="A self-hosted gateway for Anthropic's Messages API: in your own AWS account, or on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # Their pages of source and values are for us, not for users; `main` has one line.
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"megallm {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Start with: megallm dev. Inside a clone, commands talk to its running local stack "
    "unless --profile, --region or --endpoint-url name another."
)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Has no options but --version; the commands have theirs."""


app.command("connect", epilog=connect.EXIT_STATUSES)(connect.connect)
app.command("dev")(dev.dev)
app.command("usage")(usage.usage)
app.add_typer(batch.app, name="batch")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
