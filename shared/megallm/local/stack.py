"""The local stack as one process: in which order its parts start, and how all of them end.

The port comes first, because it costs nothing to find taken; the model, which may take minutes, before anything
that would have to be stopped again.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from rich.console import Console

from functions.api.app import create_app
from functions.api.server import Server, build_server
from megallm.composition import compose
from megallm.keys import Caller, KeyRecord, Tier, hash_of, id_of, new_key
from megallm.local import aws, ports
from megallm.local.console import ShortLines
from megallm.local.guard import LocalOnly
from megallm.local.isolation import REGION, enter_local_aws, local_target
from megallm.local.model_choice import ChosenModel, choose
from megallm.local.signals import Stopped, in_background, leave, stoppable
from megallm.local.state import LocalState, StateFolder
from megallm.operations.gateway import Gateway
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.keys import DynamoKeys
from megallm.telemetry import LOGGER, configure

# Who calls without a key is somebody trying things out; the key of the folder is for work, and gets more.
ANONYMOUS = Caller(key_id="anonymous", tier="basic")
KEY_NAME = "local"
KEY_TIER: Tier = "pro"

_LOG_BYTES = 10_000_000
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for. Port 0 is any free one; the local AWS takes the next one, or any."""

    port: int
    model: str
    model_threads: int | None
    models_folder: Path
    state: StateFolder


def run(
    wanted: Wanted,
    *,
    environ: MutableMapping[str, str],
    console: Console,
    announce: Callable[[LocalState, ChosenModel], None],
) -> int:
    """Runs the stack until a signal ends it, and gives the exit status: 0 once it has served.

    *announce* is called when it answers. Raises PortTaken, WeightsError, BrokenSettings,
    BrokenCatalog, EmbeddedUnavailable or OSError.
    """
    with stoppable(), ports.take(wanted.port) as listener:
        try:
            model = choose(wanted.model, wanted.models_folder, console)
            wanted.state.create()
            with _logging(wanted.state.log_file), _local_aws(listener.getsockname()[1] + 1) as local_aws:
                enter_local_aws(environ, local_aws.endpoint_url)
                return _serve(wanted, environ, model, local_aws, listener, announce)
        except Stopped as stopped:
            console.print("Stopped.")
            # The model may be loading in a thread: waiting for it would not be "at once".
            leave(stopped.exit_status)
        finally:
            wanted.state.forget(os.getpid())


def _serve(
    wanted: Wanted,
    environ: Mapping[str, str],
    model: ChosenModel,
    local_aws: aws.LocalAws,
    listener: socket,
    announce: Callable[[LocalState, ChosenModel], None],
) -> int:
    given: dict[str, object] = {"model_path": model.path}
    if wanted.model_threads is not None:
        given["model_threads"] = wanted.model_threads
    settings = Settings.from_environ(environ).model_copy(update=given)
    resources = local_aws.create_resources(keys_table=settings.keys_table)
    target = local_target(local_aws.endpoint_url)
    api_key = wanted.state.api_key(lambda: new_key()[0])
    _store_key(target, settings.keys_table, api_key)
    gateway = in_background(lambda: _compose(settings, target))
    port = listener.getsockname()[1]
    state = LocalState(
        base_url=f"http://{ports.HOST}:{port}",
        api_key=api_key,
        aws_endpoint_url=local_aws.endpoint_url,
        region=REGION,
        keys_table=settings.keys_table,
        bucket=resources.bucket,
        queues=resources.queues,
        model=model.name,
        pid=os.getpid(),
    )

    def on_started() -> None:
        wanted.state.save(state)
        announce(state, model)

    app = LocalOnly(create_app(gateway, anonymous=ANONYMOUS), port=port)
    server = build_server(app, host=ports.HOST, port=port, on_started=on_started)
    asyncio.run(_until_stopped(server, listener, gateway))
    return 0


def _compose(settings: Settings, target: AwsTarget) -> Gateway:
    gateway = compose(settings, target)
    asyncio.run(gateway.load_models())
    return gateway


async def _until_stopped(server: Server, listener: socket, gateway: Gateway) -> None:
    try:
        # uvicorn takes the signals meanwhile, ends in order, and then hands them on: they come as Stopped.
        await server.serve(sockets=[listener])
    except Stopped as stopped:
        if server.force_exit:
            leave(stopped.exit_status)
    finally:
        await asyncio.wait_for(gateway.aclose(), _CLOSE_SECONDS)


def _store_key(target: AwsTarget, table: str, api_key: str) -> None:
    key_id = id_of(api_key)
    assert key_id is not None
    record = KeyRecord(key_id, hash_of(api_key), KEY_NAME, KEY_TIER, created_at=int(time.time()))
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
