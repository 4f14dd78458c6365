"""The Lambda entry: the app under Mangum, for API Gateway's REST and HTTP events."""

import os

from mangum import Mangum

from functions.api.app import create_app
from functions.api.heap import settle
from megallm import telemetry
from megallm.composition import compose
from megallm.settings import Settings

telemetry.configure()

# Composed while the function starts, so that the first request does not wait for it. No lifespan: Mangum
# would run it anew for every invocation.
handler = Mangum(create_app(compose(Settings.from_environ(os.environ))), lifespan="off")

settle()
