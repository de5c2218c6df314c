"""A standing worker of a Dask cluster: `dropscribe lend --scheduler`.

Dask's worker exits when its scheduler does, and stays gone; this one joins again as soon as there
is a scheduler. Where something else starts workers (Slurm, Kubernetes), it is not needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import signal
import socket
from pathlib import Path

import dask
from distributed import Worker

from daemon.cluster.dask_connection import DaskAddress
from daemon.cluster.dask_lender import RESOURCE
from daemon.files.atomic import write_json
from daemon.files.daemon_lock import Lock
from daemon.files.state_folder import STATUS

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0  # seconds before the next try to join
_JOIN_SECONDS = 15.0
_LOG = logging.getLogger("dropscribe.lend")


def serve(address: DaskAddress, folder: Path, files: int) -> None:
    """Work for whoever has that scheduler's certificates, until SIGTERM or SIGINT.

    Raises TemporaryError if another such worker has `folder`.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of each piece
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat()
    with Lock(folder), dask.config.set({"distributed.worker.daemon": False}):
        write_json(folder / STATUS, {"pid": os.getpid(), "started": now})  # for `lend --install`
        asyncio.run(_until_stopped(address, folder, files))


async def _until_stopped(address: DaskAddress, folder: Path, files: int) -> None:
    working = asyncio.ensure_future(_join_again_and_again(address, folder, files))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _join_again_and_again(address: DaskAddress, folder: Path, files: int) -> None:
    wait = _FIRST_WAIT
    while True:
        try:
            await _join(address, folder, files)
            wait = _FIRST_WAIT
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            _LOG.warning("%s: %s", address.scheduler, error or "it does not answer")
            wait = min(2 * wait, _LONGEST_WAIT)
        await asyncio.sleep(wait)


async def _join(address: DaskAddress, folder: Path, files: int) -> None:
    """Until the scheduler is gone. Raises OSError, TimeoutError, ValueError, RuntimeError."""
    worker = Worker(
        address.scheduler,
        nthreads=files + 1,  # one is free to say that a recording cannot be taken
        resources={RESOURCE: files},
        name=f"{socket.gethostname()}-{os.getpid()}",
        security=address.security(),
        local_directory=str(folder),
        memory_limit=0,  # the stages are processes of their own, with limits of their own
        death_timeout=_JOIN_SECONDS,
    )
    async with worker:
        _LOG.info("%s: joined as %s", address.scheduler, worker.name)
        await worker.finished()
    _LOG.info("%s: the scheduler is gone", address.scheduler)
