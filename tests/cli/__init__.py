"""Tests of the `megallm` command."""
