"""The pins: every one with hashes, no host, and nothing of the laptop in a Lambda bundle."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
FILES = sorted(REQUIREMENTS.glob("*.txt"))


def names(file: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,0-9-]+\])?==", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_pin_has_a_hash(file: Path) -> None:
    """pip refuses the whole file otherwise, on the user's machine."""
    pins = re.split(r"^(?=[a-z0-9])", file.read_text(), flags=re.MULTILINE)[1:]

    assert [pin.partition("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_pin_names_a_host(file: Path) -> None:
    """Users have mirrors of their own."""
    assert "://" not in file.read_text()
    assert "--index-url" not in file.read_text()


def test_the_lambda_bundle_carries_nothing_of_the_local_run() -> None:
    """Neither the model's runtime nor the server nor the emulator."""
    assert names(REQUIREMENTS / "lambda.txt") & {"xllamacpp", "uvicorn", "moto", "flask", "typer", "rich"} == set()


@pytest.mark.parametrize(("larger", "smaller"), [("local.txt", "lambda.txt"), ("dev.txt", "local.txt")])
def test_each_set_contains_the_smaller_one(larger: str, smaller: str) -> None:
    """What is tested is what runs: the same versions everywhere."""

    def versions(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9][^ ;\\]*==[^ ;\\]+", (REQUIREMENTS / name).read_text(), re.MULTILINE))

    assert versions(smaller) - versions(larger) == set()
