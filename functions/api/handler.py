"""The Lambda entry: composed while the function starts, so that the first request does not wait for it."""

import asyncio
import os

from functions.api.app import create_app
from functions.api.entry import LambdaEntry
from functions.api.heap import settle
from megallm import telemetry
from megallm.composition import compose
from megallm.settings import Settings

telemetry.configure()
asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum uses the thread's, and from 3.14 on Python makes none itself
handler = LambdaEntry(create_app(compose(Settings.from_environ(os.environ))))
settle()
