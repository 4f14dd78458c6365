"""The Lambda entry: composed while the function starts."""

from functions.heap import Start

with Start():
    import asyncio
    import os

    from functions.batch_worker.entry import WorkerEntry
    from megallm import telemetry
    from megallm.composition.batches import compose_batches
    from megallm.settings import Settings

    telemetry.configure()
    handler = WorkerEntry(compose_batches(Settings.from_environ(os.environ)), asyncio.new_event_loop())
