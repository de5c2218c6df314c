"""How well a cluster scales: a real owner, and lenders that sleep instead of transcribing.

    python -m daemon.bench.cluster_scaling --workers 1 16 --seconds 5 --files 12
    python -m daemon.bench.cluster_scaling --workers 4 --seconds 5 --queued 10000 --dask

The owner is the real daemon: inbox, ledger, placement, transfer, validation, rendering, delivery.
It works on no recording itself. With --dask, a real Dask scheduler places the recordings among
workers that share a process. A line of JSON for each run.

efficiency    what the recordings take, over what the workers had time for from the first offer on
overhead      seconds a recording and a worker beyond the recording's own
placed        seconds from a free place to the next offer, median and 95th percentile
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from daemon.bench.cluster_run import Run
from daemon.config import file as config_file
from daemon.domain.transcript import Json


def serve(config_path: Path) -> None:
    """The owner: the daemon, which keeps no recording for itself."""
    from daemon.models import hardware  # noqa: PLC0415 - of the owner's process alone
    from daemon.reporting.event_log import EventLog, open_logs  # noqa: PLC0415
    from daemon.supervisor import lending, places  # noqa: PLC0415
    from daemon.supervisor.application import Application, stage_commands  # noqa: PLC0415

    lending.AT_HOME = 0
    places.AHEAD_OF_LENDING = 0
    config = config_file.load(config_path)
    open_logs(config.paths.logs, echo=False)
    commands = stage_commands(config, hardware.choose("ctranslate2"))
    with (
        Application.open(config, commands, EventLog()) as application,
        application.stopped_by((signal.SIGTERM,)),
    ):
        application.watch(drain=False)


def measure(workers: int, seconds: float, files: int, dask: bool) -> Json:
    """`files` recordings a worker, all there from the beginning."""
    with tempfile.TemporaryDirectory() as name:
        run = Run(Path(name), workers, dask)
        with run.started() as owner:
            before = _cpu(owner)
            run.drop(workers * files, seconds)
            began = time.monotonic()
            run.wait_for_ends(workers * files)
            took = time.monotonic() - began
            cpu = _cpu(owner) - before
        gaps = run.gaps()
    return {
        "through": "dask" if dask else "ssh",
        "workers": workers,
        "seconds": seconds,
        "files": workers * files,
        "took": round(took, 1),
        "efficiency": round(files * seconds / took, 4),
        "overhead": round(took / files - seconds, 3),
        "owner_cpu_a_file": round(cpu / (workers * files), 3),
        **_placed(gaps),
    }


def measure_queue(workers: int, seconds: float, queued: int, dask: bool) -> Json:
    """Memory with that many recordings waiting, while the workers have all that they take."""
    with tempfile.TemporaryDirectory() as name:
        run = Run(Path(name), workers, dask)
        with run.started() as owner:
            before = _memory(owner, run)
            began = time.monotonic()
            run.drop(queued, seconds)
            run.wait(lambda: len(run.events("queued")) >= queued)
            admitted = time.monotonic() - began
            run.wait_for_lent(2 * workers)
            after = _memory(owner, run)
            run.wait_for_ends(2 * workers)
        gaps = run.gaps()
    return {
        "through": "dask" if dask else "ssh",
        "workers": workers,
        "queued": queued,
        "admitted": round(admitted, 1),
        **{f"{name}_mb": [before[name], after[name]] for name in before},
        **_placed(gaps),
    }


def _placed(gaps: list[float]) -> Json:
    if len(gaps) < 2:
        return {}
    return {
        "placed": round(statistics.median(gaps), 3),
        "placed_95": round(gaps[int(0.95 * (len(gaps) - 1))], 3),
    }


def _children(owner: psutil.Process) -> list[psutil.Process]:
    """The owner's processes without the lenders."""
    found = [child for child in owner.children(recursive=True) if child.is_running()]
    return [child for child in found if "sleeping_lender" not in " ".join(child.cmdline())]


def _cpu(owner: psutil.Process) -> float:
    times = [process.cpu_times() for process in (owner, *_children(owner))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def _memory(owner: psutil.Process, run: Run) -> dict[str, int]:
    """Megabytes of the owner, of its cluster child, and of Dask's scheduler."""
    [child] = [p for p in _children(owner) if "daemon.cluster.child" in p.cmdline()]
    processes = {"owner": owner, "cluster_child": child, "scheduler": run.scheduler}
    return {name: p.memory_info().rss // 1_000_000 for name, p in processes.items() if p}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--owner", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each recording")
    parser.add_argument("--files", type=int, default=12, help="a worker")
    parser.add_argument("--queued", type=int, help="recordings; measure memory instead")
    parser.add_argument("--dask", action="store_true", help="through a Dask cluster, not over ssh")
    given = parser.parse_args()
    if given.owner:
        serve(given.owner)
        return
    for workers in given.workers:
        if given.queued:
            found = measure_queue(workers, given.seconds, given.queued, given.dask)
        else:
            found = measure(workers, given.seconds, given.files, given.dask)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
