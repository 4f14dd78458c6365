"""Results of local batches, copied to the disk when a batch ends: the local bucket is forgotten with its process."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from megallm.batches.model import Batch, result_key
from megallm.operations.batch_ports import BatchEvents, ObjectChanged, ObjectStore
from megallm.telemetry import log

# The manifest is the last here, too.
NAMES = ("results.jsonl", "errors.jsonl", "manifest.json")


class KeptResults:
    """``BatchEvents`` that also copies the files into a folder of the batch's own, below *folder*."""

    def __init__(self, events: BatchEvents, objects: ObjectStore, folder: Path) -> None:
        self._events = events
        self._objects = objects
        self._folder = folder

    def ended(self, batch: Batch) -> None:
        self._events.ended(batch)
        folder = self._folder / batch.id
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in NAMES:
                with suppress(ObjectChanged):  # deleted as soon as it was there
                    self._copy(result_key(batch.id, name), folder / name)
            log("results_kept", {"batch_id": batch.id, "folder": str(folder)})
        except OSError as error:  # a full disk must not keep the batch from ending
            log("results_not_kept", {"batch_id": batch.id}, error=error)

    def _copy(self, key: str, path: Path) -> None:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in self._objects.stream(key):
                    file.write(piece)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
