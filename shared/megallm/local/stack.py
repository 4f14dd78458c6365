"""The local stack as one process: in which order its parts start, and how all of them end.

The port comes first, because it costs nothing to find taken; the model, which may take minutes, before anything
that would have to be stopped again.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from socket import socket
from typing import NoReturn

from rich.console import Console

from functions.api.app import create_app
from functions.api.server import Server, build_server
from megallm.composition import compose
from megallm.composition.batches import compose_batches
from megallm.keys import ANONYMOUS_ID, Caller, KeyRecord, Limits, Tier, hash_of, id_of, new_key
from megallm.local import aws, ports
from megallm.local.batches import LocalBatches
from megallm.local.console import ShortLines
from megallm.local.guard import LocalOnly
from megallm.local.isolation import REGION, enter_local_aws, local_target
from megallm.local.model_choice import ChosenModel, choose
from megallm.local.needs import needs_of
from megallm.local.signals import Stopped, in_background, leave, stoppable
from megallm.local.state import LocalState, StateFolder
from megallm.operations.gateway import Gateway
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys
from megallm.telemetry import LOGGER, configure

# Who calls without a key is somebody trying things out, and sees what a Basic key does. The key of the folder is the
# operator's own: it counts like every other, but allows more than this machine can do.
ANONYMOUS = Caller(key_id=ANONYMOUS_ID, tier="basic")
KEY_NAME = "local"
KEY_TIER: Tier = "enterprise"
KEY_LIMITS = Limits(requests_per_minute=12_000, tokens_per_minute=1_000_000_000, concurrent=200)

_SIGNING_VARIABLE = "LOCAL_SIGNING_SECRET"

# The embedded model answers two at a time; whoever waits for an answer finds one place free.
_CALLS_OF_BATCHES = 1

_LOG_BYTES = 10_000_000
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for. Port 0 is any free one; the local AWS takes the next one, or any."""

    port: int
    model: str
    model_threads: int | None
    models_folder: Path
    state: StateFolder


def compose_and_load(settings: Settings, target: AwsTarget) -> Gateway:
    """The gateway, with its model in memory. Takes seconds."""
    gateway = compose(settings, target)
    asyncio.run(gateway.load_models())
    return gateway


def run(
    wanted: Wanted,
    *,
    environ: MutableMapping[str, str],
    console: Console,
    announce: Callable[[LocalState, ChosenModel | None], None],
    gateway_of: Callable[[Settings, AwsTarget], Gateway] = compose_and_load,
) -> NoReturn:
    """Runs the stack until a signal ends it, and the process with it: status 0 once it has served.

    *announce* is called when it answers. Raises AlreadyRunning, UnreadableState, PortTaken, WeightsError,
    BrokenSettings, BrokenCatalog, EmbeddedUnavailable or OSError.
    """
    forget = partial(wanted.state.forget, os.getpid())
    with stoppable(forget):
        try:
            wanted.state.create()
            with wanted.state.held(), ports.take(wanted.port) as listener:
                wanted.state.load()  # What cannot be read could not be replaced either: better known now.
                needs = needs_of(Settings.from_environ(environ))
                model = choose(wanted.model, wanted.models_folder, console) if needs.embedded_model else None
                with _logging(wanted.state.log_file), _local_aws(listener.getsockname()[1] + 1) as local_aws:
                    enter_local_aws(environ, local_aws.endpoint_url)
                    parts = _prepare(wanted, environ, model, local_aws, listener, announce, gateway_of)
                    asyncio.run(_until_stopped(parts, listener, forget))
        except Stopped as stopped:
            with suppress(OSError):  # The terminal may be what went away.
                console.print("Stopped.")
            # The model may be loading in a thread: waiting for it would not be "at once".
            leave(stopped.exit_status, forget)
        finally:
            forget()
    raise AssertionError("the server ends with the process")


def _prepare(
    wanted: Wanted,
    environ: MutableMapping[str, str],
    model: ChosenModel | None,
    local_aws: aws.LocalAws,
    listener: socket,
    announce: Callable[[LocalState, ChosenModel | None], None],
    gateway_of: Callable[[Settings, AwsTarget], Gateway],
) -> "_Parts":
    api_key = wanted.state.api_key(lambda: new_key()[0])
    # Made from the key, which stays the same: thinking that was signed before a restart is still believed after it.
    environ.setdefault(_SIGNING_VARIABLE, sha256(f"signing {api_key}".encode()).hexdigest())
    given: dict[str, object] = {}
    if model is not None:
        given["model_path"] = model.path
    if wanted.model_threads is not None:
        given["model_threads"] = wanted.model_threads
    settings = Settings.from_environ(environ)
    given["signing_secret"] = settings.signing_secret or f"env:{_SIGNING_VARIABLE}"
    if model is not None and "batch_concurrency" not in settings.model_fields_set:
        given["batch_concurrency"] = _CALLS_OF_BATCHES
    resources = local_aws.create_resources(
        keys_table=settings.keys_table, limits_table=settings.limits_table, batches_table=settings.batches_table
    )
    given["batches_bucket"] = resources.bucket
    given |= {f"{role}_queue_url": url for role, url in resources.queues.items()}
    settings = settings.model_copy(update=given)
    target = local_target(local_aws.endpoint_url)
    _store_key(target, settings.keys_table, api_key)
    gateway = in_background(lambda: gateway_of(settings, target))
    batches = None
    if gateway.batches is not None:
        work = compose_batches(settings, target, gateway)
        batches = LocalBatches(work, target, resources.queues, wanted.state.results)
    port = listener.getsockname()[1]
    state = LocalState(
        base_url=f"http://{ports.HOST}:{port}",
        api_key=api_key,
        aws_endpoint_url=local_aws.endpoint_url,
        region=REGION,
        keys_table=settings.keys_table,
        bucket=resources.bucket,
        queues=resources.queues,
        model="" if model is None else model.name,
        pid=os.getpid(),
    )

    def on_started() -> None:
        wanted.state.save(state)
        announce(state, model)

    app = LocalOnly(create_app(gateway, anonymous=ANONYMOUS), port=port)
    return _Parts(gateway, build_server(app, host=ports.HOST, port=port, on_started=on_started), batches)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs until the stack is stopped; ``batches`` where the gateway has some."""

    gateway: Gateway
    server: Server
    batches: LocalBatches | None

    @property
    def stopped_busy(self) -> bool:
        """Whether the model may be computing."""
        return self.server.stopped_busy or (self.batches is not None and self.batches.is_busy)


async def _until_stopped(parts: _Parts, listener: socket, forget: Callable[[], None]) -> NoReturn:
    """Serves, and ends the process: asyncio and atexit would wait for every thread, however long it computes."""
    busy = True
    try:
        # uvicorn takes the signals meanwhile, ends in order, and then hands them on: they come as Stopped.
        async with parts.batches.running() if parts.batches else nullcontext():
            try:
                await parts.server.serve(sockets=[listener])
            finally:
                busy = parts.stopped_busy
    except Stopped as stopped:
        if parts.server.force_exit:
            leave(stopped.exit_status, forget)
    # llama.cpp's destructor waits for the batch that it computes, 10 s and more of a long prompt, and keeps Python's
    # lock meanwhile: no timeout could end that. So only an idle model is closed; a busy one ends with the process.
    if not busy:
        with suppress(TimeoutError):
            await asyncio.wait_for(parts.gateway.aclose(), _CLOSE_SECONDS)
    leave(0, forget)


def _store_key(target: AwsTarget, table: str, api_key: str) -> None:
    key_id = id_of(api_key)
    assert key_id is not None
    record = KeyRecord(key_id, hash_of(api_key), KEY_NAME, KEY_TIER, created_at=int(time.time()), limits=KEY_LIMITS)
    DynamoKeys(target.dynamodb(), table).put(record)


@contextmanager
def _local_aws(preferred_port: int) -> Iterator[aws.LocalAws]:
    try:
        local_aws = aws.start(port=preferred_port)
    except (OSError, OverflowError):
        local_aws = aws.start(port=0)
    try:
        yield local_aws
    finally:
        local_aws.stop()


@contextmanager
def _logging(file: Path) -> Iterator[None]:
    """JSON lines to the file, short ones to the terminal."""
    if file.exists() and file.stat().st_size > _LOG_BYTES:
        file.replace(file.with_suffix(".log.1"))
    file.touch(mode=0o600)
    with file.open("a", buffering=1) as stream:
        configure(stream)
        terminal = logging.StreamHandler()
        terminal.setFormatter(ShortLines())
        LOGGER.addHandler(terminal)
        try:
            yield
        finally:
            LOGGER.removeHandler(terminal)
            logging.getLogger().handlers.clear()
