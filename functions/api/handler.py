"""The Lambda entry: composed while the function starts, so that the first request does not wait for it."""

from functions.heap import Start

with Start():
    import asyncio
    import os

    from functions.api.app import create_app
    from functions.api.entry import LambdaEntry
    from megallm import telemetry
    from megallm.composition import compose
    from megallm.settings import Settings

    telemetry.configure()
    # Mangum uses the thread's loop, and from 3.14 on Python makes none itself.
    asyncio.set_event_loop(asyncio.new_event_loop())
    handler = LambdaEntry(create_app(compose(Settings.from_environ(os.environ))))
