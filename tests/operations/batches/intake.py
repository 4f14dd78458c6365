"""What the tests of the intake share: job messages for it, keys that may not own a batch, manifests."""

from typing import Any

from pydantic_core import from_json, to_json

from megallm.batches.job_message import parse_job
from megallm.batches.model import Batch, result_key
from megallm.keys import KeyStatus
from megallm.operations.intake_batch import Standing, intake_job
from tests.operations.batches.harness import Scene, in_use

KEY_ID = "abcdefgh"


def job(
    scene: Scene,
    fallback_id: str = "message-1",
    *,
    standing: Standing = in_use,
    **fields: Any,  # Any: JSON
) -> Batch:
    """Lets the intake have a job message."""
    message = parse_job(to_json({"version": 1, "task": "summarize", **fields}))
    return intake_job(scene.world.ports(), message, fallback_id, scene.clock(), standing, scene.rules())


def manifest_of(scene: Scene, batch: Batch) -> dict[str, Any]:  # Any: JSON
    manifest: dict[str, Any] = from_json(scene.world.objects[result_key(batch.id, "manifest.json")])
    return manifest


def revoked(owner: str) -> KeyStatus:
    """How it stands with every key."""
    return "revoked"


def unknown(owner: str) -> None:
    """There is no key."""
