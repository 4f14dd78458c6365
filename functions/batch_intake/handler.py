"""The Lambda entry: composed while the function starts."""

from functions.heap import Start

with Start():
    import os

    from functions.batch_intake.entry import IntakeEntry
    from megallm import telemetry
    from megallm.composition.batches import compose_batches
    from megallm.settings import Settings

    telemetry.configure()
    handler = IntakeEntry(compose_batches(Settings.from_environ(os.environ)))
