"""Finds the README's code blocks by language."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def snippets(language: str) -> list[str]:
    """The code blocks of the section "First request" in that language."""
    section = README.read_text(encoding="utf-8").partition("## First request\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
