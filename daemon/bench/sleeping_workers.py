"""Workers of a Dask cluster that sleep instead of transcribing, all in one process: a child.

Dask's own code and ours (cluster/dask_lender.py) are the real ones; the `lend` of each worker is a
sleeping_lender.py. They share a process, so that many fit on a machine whose owner is measured.

    python -m daemon.bench.sleeping_workers SCHEDULER WORKERS BYTES_A_SECOND LOG
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distributed import Worker

from daemon.bench.sleeping_lender import PLACES
from daemon.cluster import dask_lender


async def serve(scheduler: str, count: int, folder: Path) -> None:
    """Work until the scheduler is gone."""
    workers = [
        Worker(
            scheduler,
            nthreads=PLACES + 1,
            resources={dask_lender.RESOURCE: PLACES},
            name=f"worker{number}",
            local_directory=str(folder / str(number)),
            memory_limit=0,
        )
        for number in range(count)
    ]
    await asyncio.gather(*workers)
    await asyncio.gather(*(worker.finished() for worker in workers))


def main(scheduler: str, count: str, rate: str, log: str) -> None:
    def command(_: Path) -> Sequence[str]:
        return [sys.executable, "-m", "daemon.bench.sleeping_lender", rate, log]

    dask_lender.lend_command = command  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(serve(scheduler, int(count), Path(name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
