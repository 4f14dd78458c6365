"""Results of local batches, as they lie on the disk afterwards."""

import io
from pathlib import Path

from megallm.batches.model import result_key
from megallm.local.kept_results import KeptResults
from tests.batch_fakes import World
from tests.stores.batch_tables import BATCH


def kept(world: World, folder: Path) -> KeptResults:
    ports = world.ports()
    return KeptResults(ports.events, ports.objects, folder)


def test_the_files_of_an_ended_batch_are_copied_and_whoever_listens_is_told(tmp_path: Path) -> None:
    """Told twice, they are copied twice; nothing else lies beside them."""
    world = World()
    for name in ("results.jsonl", "errors.jsonl", "manifest.json"):
        world.objects[result_key(BATCH.id, name)] = name.encode()

    for _ in range(2):
        kept(world, tmp_path / "results").ended(BATCH)

    folder = tmp_path / "results" / BATCH.id
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "results.jsonl": "results.jsonl",
        "errors.jsonl": "errors.jsonl",
        "manifest.json": "manifest.json",
    }
    assert world.told == [BATCH, BATCH]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_batch_that_was_deleted_at_once_leaves_nothing(tmp_path: Path) -> None:
    """No half of a file either."""
    kept(World(), tmp_path).ended(BATCH)

    assert list((tmp_path / BATCH.id).iterdir()) == []


def test_a_disk_that_takes_nothing_does_not_keep_the_batch_from_ending(tmp_path: Path, lines: io.StringIO) -> None:
    """The results are in the bucket as well."""
    world = World()
    blocked = tmp_path / "results"
    blocked.write_text("a file where the folder should be")

    kept(world, blocked).ended(BATCH)

    assert world.told == [BATCH]
    assert '"event":"results_not_kept"' in lines.getvalue()
