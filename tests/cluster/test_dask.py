"""Files that are dropped here are worked on in a Dask cluster, and each comes out here once."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.daemon_process import DEMO, DaemonProcess, Tables, running
from tests.kit.dask_cluster import DaskCluster
from tests.kit.fake_recording import recording


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path)
    cluster.start_scheduler()
    yield cluster
    cluster.close()


def owner(cluster: DaskCluster, **behaviour: str) -> DaemonProcess:
    tables: Tables = {**DEMO, "cluster": {"scheduler": cluster.address}}
    return DaemonProcess.faked(cluster.root / "owner", tables, **behaviour)


def drop_numbered(daemon: DaemonProcess, count: int) -> None:
    for number in range(count):
        daemon.drop(recording(f"this is number {number}"), f"{number}.wav")


def places(daemon: DaemonProcess) -> int:
    path = daemon.config.paths.state / "status.json"
    hosts = json.loads(path.read_bytes()).get("hosts", []) if path.exists() else []
    return sum(host["places"] for host in hosts)


def assert_each_came_out_once(daemon: DaemonProcess, count: int) -> None:
    assert len(daemon.events("done")) == count
    for number in range(count):
        text = (daemon.config.paths.outbox / f"{number}.txt").read_text()
        assert text.strip() == f"this is number {number}"
    assert not list(daemon.config.paths.state.glob("jobs/*/lent-*"))


def test_files_are_placed_by_dask_and_a_killed_worker_costs_nothing(cluster: DaskCluster) -> None:
    never, gate = cluster.root / "never", cluster.root / "gate"
    cluster.add("good", {"lend": {"files": 1}})
    cluster.add("doomed", {"lend": {"files": 1}}, transcribe=f"gate:{never}")
    daemon = owner(cluster, transcribe=f"gate:{gate}")
    with running(daemon):
        daemon.wait_until(lambda: places(daemon) == 2, "both workers were there")
        drop_numbered(daemon, 6)
        daemon.wait_until(lambda: cluster.is_at_work("doomed"), "a worker was at its file")
        cluster.signal("doomed", signal.SIGKILL)
        [lost] = daemon.wait_for("lost")
        gate.touch()
        daemon.wait_for_ends(6)
    assert "its worker is gone" in lost["message"]
    assert daemon.events("lent")
    assert_each_came_out_once(daemon, 6)
