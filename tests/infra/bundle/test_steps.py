"""The steps of a build, each by itself: which wheels, what is left out, how it is compiled and packed."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest

from infra.bundle import archive, bytecode, elf, packages, prune, service_models
from infra.bundle.target import NoSuchRuntime, Target, target
from tests.infra.bundle.unpacked import native_architecture


def test_the_runtime_follows_the_python_at_hand() -> None:
    """Its bytecode fits no other."""
    assert [target("arm64", minor).runtime for minor in range(11, 15)] == [
        "python3.11",
        "python3.12",
        "python3.13",
        "python3.14",
    ]


@pytest.mark.parametrize("minor", [10, 15])
def test_a_python_that_lambda_does_not_have_is_told(minor: int) -> None:
    """Before anything is built."""
    with pytest.raises(NoSuchRuntime, match=f"Lambda has no Python 3.{minor}"):
        target("auto", minor)


def test_auto_is_arm64_where_all_packages_have_wheels_for_it() -> None:
    """Under Python 3.11 the C library is too old for one."""
    assert [target("auto", minor).architecture for minor in range(11, 15)] == ["x86_64", "arm64", "arm64", "arm64"]


def test_only_wheels_that_the_runtimes_c_library_can_load_are_taken() -> None:
    """Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34."""
    old, new = Target(11, "x86_64").tags, Target(12, "arm64").tags

    assert (old[0], old[-1]) == ("manylinux_2_26_x86_64", "manylinux2014_x86_64")
    assert (new[0], new[-1]) == ("manylinux_2_34_aarch64", "manylinux2014_aarch64")
    assert "manylinux_2_28_x86_64" not in old
    assert "manylinux_2_28_aarch64" in new


def test_pins_are_taken_out_with_their_hashes(tmp_path: Path) -> None:
    """A package that is not pinned is not installed at all."""
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "a==1 \\\n    --hash=sha256:1\n    # via b\nb==2 \\\n    --hash=sha256:2\nc==3 \\\n    --hash=sha256:3\n"
    )

    assert packages.pins_of(lock, frozenset({"a", "c"})) == (
        "a==1 \\\n    --hash=sha256:1\n    # via b\nc==3 \\\n    --hash=sha256:3\n"
    )
    with pytest.raises(packages.NotInstalled, match=r"^lock.txt does not pin x$"):
        packages.pins_of(lock, frozenset({"a", "x"}))


ENDPOINTS = """
{"partitions": [{"regions": {"eu-central-1": {}}, "services": {"s3": {}, "ec2": {}}}], "version": 3}
"""


def test_what_never_runs_is_left_out(tmp_path: Path) -> None:
    """Services that are not asked, sources for compilers, the embedded model's client, pages for an index."""
    for name in (
        "boto3/session.py",
        "boto3-1.dist-info/METADATA",
        "botocore/session.py",
        "botocore/data/s3/2006/paginators-1.json",
        "botocore/data/s3/2006/examples-1.json",
        "botocore/data/ec2/2016/service-2.json.gz",
        "botocore/data/endpoints.json",
        "httpx/__init__.py",
        "httpx-1.dist-info/METADATA",
        "aiohttp/client.py",
        "aiohttp/web.py",
        "aiohttp/web_app.py",
        "pydantic/main.py",
        "pydantic/main.pyi",
        "pydantic/v1/main.py",
        "pydantic-2.dist-info/RECORD",
        "pydantic-2.dist-info/licenses/LICENSE",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ENDPOINTS if name.endswith("endpoints.json") else "")
    metadata = tmp_path / "pydantic-2.dist-info" / "METADATA"
    metadata.write_text("Name: pydantic\nVersion: 2\n\nA long page.\n")

    prune.prune(tmp_path)

    assert sorted(archive.files_of(tmp_path)) == [
        "aiohttp/client.py",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006/paginators-1.json",
        "botocore/session.py",
        "pydantic-2.dist-info/METADATA",
        "pydantic/main.py",
    ]
    assert metadata.read_text() == "Name: pydantic\nVersion: 2\n"


def test_every_region_stays_for_the_services_in_use(tmp_path: Path) -> None:
    """Where the stack is deployed is not known when the bundle is made."""
    (tmp_path / "endpoints.json").write_text(ENDPOINTS)

    service_models.cut_down(tmp_path)

    assert json.loads((tmp_path / "endpoints.json").read_text()) == {
        "partitions": [{"regions": {"eu-central-1": {}}, "services": {"s3": {}}}],
        "version": 3,
    }


def test_a_service_is_described_without_the_pages_about_it(tmp_path: Path) -> None:
    """And unpacked; a field that is called documentation is none of them, and botocore reads those of S3's settings."""
    service = tmp_path / "ssm" / "2014"
    service.mkdir(parents=True)
    shape = {"type": "structure", "members": {"documentation": {"shape": "Text", "documentation": "<p>Words.</p>"}}}
    settings = {"Accelerate": {"type": "boolean", "documentation": "Faster."}}
    model = {
        "documentation": "<p>A service.</p>",
        "shapes": {"Page": shape},
        "operations": [{"documentation": "Ask."}],
        "clientContextParams": settings,
    }
    (service / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(model).encode()))
    (tmp_path / "endpoints.json").write_text(ENDPOINTS)

    service_models.cut_down(tmp_path)

    assert sorted(archive.files_of(tmp_path)) == ["endpoints.json", "ssm/2014/service-2.json"]
    assert json.loads((service / "service-2.json").read_text()) == {
        "shapes": {"Page": {"type": "structure", "members": {"documentation": {"shape": "Text"}}}},
        "operations": [{}],
        "clientContextParams": settings,
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's libraries load on Linux only")
def test_a_stripped_library_is_smaller_and_loads(tmp_path: Path) -> None:
    """A real one, by an interpreter that finds no other."""
    spec = find_spec("multidict")
    assert spec is not None
    assert spec.origin is not None
    package = shutil.copytree(Path(spec.origin).parent, tmp_path / "multidict")
    before = {path.name: path.stat().st_size for path in package.glob("*.so")}

    elf.strip_all(tmp_path, native_architecture())

    after = {path.name: path.stat().st_size for path in package.glob("*.so")}
    code = "import multidict._multidict as m; print(m.__file__, dict(m.CIMultiDict(a='1')))"
    finished = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split()[0].startswith(str(tmp_path))
    assert finished.stdout.endswith("{'a': '1'}\n")
    assert before.keys() == after.keys() != set()
    assert all(after[name] < before[name] for name in before)


@pytest.mark.parametrize("library", [b"", b"MZ not a library", b"\x7fELF\x01\x01" + b"\0" * 100, b"\x7fELF\x02\x01"])
def test_what_is_no_library_for_lambda_is_refused(library: bytes, tmp_path: Path) -> None:
    """A wheel for another system has slipped in."""
    (tmp_path / "fast.so").write_bytes(library)

    with pytest.raises(elf.NotElf, match=r"^fast.so is no library for arm64$"):
        elf.strip_all(tmp_path, "arm64")


@pytest.mark.parametrize(("machine", "fits"), [(62, "x86_64"), (183, "arm64")])
def test_a_library_for_the_other_processor_is_refused(machine: int, fits: Literal["arm64", "x86_64"]) -> None:
    """It could not be loaded there, and a bundle for arm64 cannot be tried where it is built."""
    header = b"\x7fELF\x02\x01".ljust(18, b"\0") + machine.to_bytes(2, "little")
    library = header.ljust(32, b"\0") + (64).to_bytes(8, "little") + bytes(24)
    other: Literal["arm64", "x86_64"] = "arm64" if fits == "x86_64" else "x86_64"

    assert elf.strip(library, fits) == library
    with pytest.raises(elf.NotElf):
        elf.strip(library, other)


MODULE = """
def is_known(kind):
    return kind in {'one', 'two', 'three', 'four'}
"""
COMPILE = """
import sys
from pathlib import Path
from infra.bundle import bytecode
bytecode.compile_all(Path(sys.argv[1]), '/var/task', keep_sources=False)
"""


def test_compiled_modules_are_the_same_every_time(tmp_path: Path) -> None:
    """Also where the interpreter that asks has another hash seed, by which it orders sets."""
    compiled = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "module.py").write_text(MODULE)
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", COMPILE, str(folder)], env=environment, check=True)
        compiled.append((folder / "module.pyc").read_bytes())

    assert compiled[0] == compiled[1]
    assert b"/var/task/module.py" in compiled[0]
    assert str(tmp_path).encode() not in compiled[0]


def test_bytecode_is_believed_without_a_look_at_the_source(tmp_path: Path) -> None:
    """A zip file knows no times: a .pyc that is checked against its source's would never be used."""
    (tmp_path / "module.py").write_text(MODULE)

    bytecode.compile_all(tmp_path, "/var/task", keep_sources=True)

    (compiled,) = (tmp_path / "__pycache__").glob("module.*.pyc")
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01  # PEP 552: by its hash, and not to be checked
    assert (tmp_path / "module.py").is_file()


def test_a_module_with_a_mistake_stops_the_build(tmp_path: Path) -> None:
    """Lambda would find it at the first request."""
    (tmp_path / "module.py").write_text("def broken(:\n")

    with pytest.raises(bytecode.NotCompiled, match="SyntaxError"):
        bytecode.compile_all(tmp_path, "/var/task", keep_sources=True)


def test_the_zip_file_depends_on_names_content_and_rights_alone(tmp_path: Path) -> None:
    """Not on times, nor on the order in which files were made."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, order in ((first, ("a.py", "run", "z.txt")), (second, ("z.txt", "run", "a.py"))):
        folder.mkdir()
        for name in order:
            (folder / name).write_text(name)
            os.utime(folder / name, (1e9 + len(order[0]), 1e9))
        (folder / "run").chmod(0o700)
        archive.write(folder.with_suffix(".zip"), archive.files_of(folder))

    with zipfile.ZipFile(first.with_suffix(".zip")) as made:
        entries = [(entry.filename, oct(entry.external_attr >> 16), entry.date_time) for entry in made.infolist()]
    assert entries == [
        ("a.py", "0o100644", (1980, 1, 1, 0, 0, 0)),
        ("run", "0o100755", (1980, 1, 1, 0, 0, 0)),
        ("z.txt", "0o100644", (1980, 1, 1, 0, 0, 0)),
    ]
    assert first.with_suffix(".zip").read_bytes() == second.with_suffix(".zip").read_bytes()
