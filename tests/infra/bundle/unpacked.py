"""A bundle as Lambda lays it out, and programs that run in it with nothing else of this machine to import."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.bundle.build import ROOT
from infra.bundle.files import Bundle

# The environment that the stack gives every function, with resources that no handler asks for while it starts.
SETTINGS = {
    "MEGALLM_CATALOG": "aws",
    "MEGALLM_BATCHES_BUCKET": "bucket",
    "MEGALLM_INTAKE_QUEUE_URL": "https://sqs.example/intake",
    "MEGALLM_WORK_QUEUE_URL": "https://sqs.example/work",
    "MEGALLM_FINISH_QUEUE_URL": "https://sqs.example/finish",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def native_architecture() -> Literal["arm64", "x86_64"]:
    """This machine's, by Lambda's name."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def copy_sources(folder: Path) -> Path:
    """functions/ and shared/ of this clone."""
    for name in ("functions", "shared"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@dataclass(frozen=True, slots=True)
class Unpacked:
    """``task`` is /var/task, ``layer`` the layer's /opt/python."""

    task: Path
    layer: Path

    def run(self, code: str, environment: Mapping[str, str] = SETTINGS) -> str:
        """What the program prints; -S keeps this environment's packages out."""
        finished = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=self.task,
            env={
                **environment,
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join([str(self.task), str(self.layer)]),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


def unpack(bundle: Bundle, folder: Path) -> Unpacked:
    """With the rights that the zip files have, as Lambda does."""
    found = Unpacked(folder / "task", folder / "opt" / "python")
    for path, into in ((bundle.function, found.task), (bundle.schemas, found.layer.parent)):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(into)
            for entry in archive.infolist():
                (into / entry.filename).chmod((entry.external_attr >> 16) & 0o777)
    return found
