"""The whole bundle, built for this machine's processor and run with nothing else to import."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from infra.bundle.build import BundleFailed, build
from infra.bundle.files import Bundle
from infra.function_specs import FUNCTIONS
from infra.options import Options
from tests.infra.bundle.unpacked import Unpacked, native_architecture
from tests.infra.synthesis import ROOT

pytestmark = pytest.mark.slow

MOST_BYTES = 15_000_000
WEB_FRAMEWORKS = ["fastapi", "starlette", "mangum", "uvicorn"]


def test_what_the_api_loads_has_15_megabytes_at_most(bundle: Bundle) -> None:
    """Lambda fetches and unpacks it whenever it starts a function."""
    assert bundle.function.stat().st_size <= MOST_BYTES


def test_the_same_inputs_give_the_same_bytes(bundle: Bundle, sources: Path, tmp_path: Path) -> None:
    """Built once more from nothing."""
    again = build(Options(architecture=native_architecture()), tmp_path, sources)

    hashes = [
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in (each.function, each.schemas)]
        for each in (bundle, again)
    ]
    assert hashes[0] == hashes[1]
    assert bundle.digest == again.digest


def test_a_bundle_that_is_there_is_not_built_again(bundle: Bundle, sources: Path) -> None:
    """The second `make deploy` of the same code begins at once."""
    before = bundle.function.stat().st_mtime_ns

    again = build(Options(architecture=native_architecture()), bundle.function.parents[2], sources)

    assert again == bundle
    assert again.function.stat().st_mtime_ns == before


@pytest.mark.parametrize("module", sorted({spec.handler.rpartition(".")[0] for spec in FUNCTIONS}))
def test_each_entry_starts_from_the_bundle_alone(unpacked: Unpacked, module: str) -> None:
    """With the handler that Lambda looks for."""
    found = unpacked.run(f"import {module} as m; print(callable(m.handler), m.__file__)").split()

    assert found == ["True", str(unpacked.task / f"{module.replace('.', '/')}.py")]


@pytest.mark.parametrize("role", ["batch-intake", "batch-worker", "batch-finisher"])
def test_a_batch_function_loads_no_web_framework(unpacked: Unpacked, role: str) -> None:
    """It serves no HTTP, and each would cost its start a quarter of a second."""
    (module,) = [spec.handler.rpartition(".")[0] for spec in FUNCTIONS if spec.role == role]

    loaded = json.loads(unpacked.run(f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))"))

    assert [name for name in loaded if name.partition(".")[0] in WEB_FRAMEWORKS] == []


def test_the_library_for_schemas_is_in_the_layer(bundle: Bundle, unpacked: Unpacked) -> None:
    """It is found there, and no ordinary request loads it."""
    code = "import jsonschema_rs as j; print(j.validator_for({'type': 'object'}).is_valid({}), j.__file__)"

    assert unpacked.run(code).split() == ["True", str(unpacked.layer / "jsonschema_rs" / "__init__.pyc")]
    with zipfile.ZipFile(bundle.function) as archive:
        assert [name for name in archive.namelist() if "jsonschema_rs" in name] == []


def test_nothing_of_ones_own_machine_is_in_it(bundle: Bundle) -> None:
    """The embedded model, the local AWS, the command, the older clients."""
    with zipfile.ZipFile(bundle.function) as archive:
        top = {name.split("/")[0].partition("-")[0].removesuffix(".pyc") for name in archive.namelist()}
        ours = {"/".join(name.split("/")[:2]) for name in archive.namelist() if name.startswith("megallm/")}

    assert top.isdisjoint(
        {"xllamacpp", "moto", "flask", "httpx", "boto3", "s3transfer", "typer", "uvicorn", "aws_cdk", "pytest"}
    )
    assert ours.isdisjoint({"megallm/local", "megallm/cli", "megallm/__main__.py"})


def test_the_wrapper_can_be_run_as_lambda_runs_it(unpacked: Unpacked) -> None:
    """Its rights come through the zip file."""
    assert (unpacked.task / "functions" / "api" / "streaming-wrapper").stat().st_mode & 0o111 == 0o111


def test_every_service_that_a_function_asks_is_known(unpacked: Unpacked) -> None:
    """botocore's data was pruned to these; CloudFormation is asked by the command only."""
    code = """
from megallm.stores.aws import AwsTarget
target = AwsTarget(region="eu-central-1", access_key_id="x", secret_access_key="x")
makers = [name for name in dir(AwsTarget) if not name.startswith("_") and name not in AwsTarget.__slots__]
clients = [getattr(target, name)() for name in makers if name not in ("credentials", "cloudformation")]
print(sorted({client.meta.service_model.service_name for client in clients}))
"""

    assert unpacked.run(code) == "['dynamodb', 'events', 's3', 'secretsmanager', 'sqs', 'ssm']\n"


def test_chosen_files_are_where_the_settings_say(bundle: Bundle, sources: Path, tmp_path: Path) -> None:
    """A catalogue and tiers of one's own, and another digest."""
    catalog = tmp_path / "mine.toml"
    catalog.write_text((ROOT / "shared" / "megallm" / "catalog" / "aws.toml").read_text())
    tiers = ROOT / "shared" / "megallm" / "limits" / "tiers.toml"
    options = Options(architecture=native_architecture(), catalog=str(catalog), tiers=str(tiers))
    (tmp_path / "packages").symlink_to(bundle.function.parents[2] / "packages")

    made = build(options, tmp_path, sources)

    with zipfile.ZipFile(made.function) as archive:
        assert archive.read("catalog.toml") == catalog.read_bytes()
        assert archive.read("tiers.toml") == tiers.read_bytes()
    assert made.digest != bundle.digest


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Before anything is installed."""
    with pytest.raises(BundleFailed, match="No such file"):
        build(Options(tiers=str(tmp_path / "nothing.toml")), tmp_path)
