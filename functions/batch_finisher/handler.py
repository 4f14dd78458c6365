"""The Lambda entry: composed while the function starts."""

from functions.heap import Start

with Start():
    import os

    from functions.batch_finisher.entry import FinisherEntry
    from megallm import telemetry
    from megallm.composition.batches import compose_batches
    from megallm.settings import Settings

    telemetry.configure()
    handler = FinisherEntry(compose_batches(Settings.from_environ(os.environ)))
