"""`python -m megallm`, the same as the `megallm` command."""

from megallm.cli import main

main()
