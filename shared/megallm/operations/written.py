"""An object written of pieces, in flat memory: whole, or not at all."""

from collections.abc import Iterable
from contextlib import suppress

from megallm.operations.batch_ports import ObjectStore


def write_pieces(objects: ObjectStore, key: str, pieces: Iterable[bytes]) -> str:
    """Gives its version. What ends *pieces* is raised; nothing is there then, but for what was there before."""
    writer = objects.writer(key)
    try:
        for piece in pieces:
            writer.write(piece)
    except BaseException:
        with suppress(Exception):  # what went wrong first is told; the bucket's lifecycle ends what is left of a write
            writer.abort()
        raise
    return writer.commit()
