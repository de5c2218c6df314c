"""Files that are dropped here are worked on in a Dask cluster, and each comes out here once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from daemon.cluster import dask_lender
from daemon.cluster.dask_connection import DaskAddress
from daemon.cluster.dask_hosts import DaskHosts
from daemon.cluster.dask_workers import DaskWorkers
from daemon.config import file as config_file
from daemon.errors import UsageError
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


def lent(daemon: DaemonProcess) -> int:
    status = json.loads((daemon.config.paths.state / "status.json").read_bytes())
    return sum(len(host["jobs"]) for host in status["hosts"])


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


def test_what_dask_begins_again_on_another_worker_leaves_its_place_at_once() -> None:
    """The job is over when its worker was lost: nobody would send the recording there."""
    asked: list[tuple[object, ...]] = []

    async def call(*what: object) -> None:
        asked.append(what)

    async def begins(hosts: DaskHosts) -> None:
        said = {"begun": "0" * 16, "worker": "tcp://127.0.0.1:9", "name": "other", "have": 0}
        hosts._on_begun((0.0, said))
        await asyncio.gather(*hosts._tasks)

    hosts = DaskHosts(DaskAddress("tcp://127.0.0.1:8"), {}, lambda _: None, lambda: None)
    hosts._workers = cast(DaskWorkers, SimpleNamespace(call=call))
    hosts._loop.run_until_complete(begins(hosts))
    hosts._loop.close()
    assert asked == [("tcp://127.0.0.1:9", dask_lender.forget, "0" * 16)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["worker killed", "worker frozen", "scheduler killed"])
def test_a_fault_in_the_cluster_loses_and_doubles_nothing(cluster: DaskCluster, fault: str) -> None:
    never, gate = cluster.root / "never", cluster.root / "gate"
    for name in ("one", "two"):
        cluster.add(name, {"lend": {"files": 1}}, transcribe=f"gate:{never}")
    daemon = owner(cluster, transcribe=f"gate:{gate}")
    with running(daemon):
        daemon.wait_until(lambda: places(daemon) == 2, "both workers were there")
        drop_numbered(daemon, 4)
        daemon.wait_until(
            lambda: all(map(cluster.is_at_work, ("one", "two"))), "both were at a file"
        )
        began = time.monotonic()
        if fault == "scheduler killed":
            cluster.kill_scheduler()
            daemon.wait_until(lambda: places(daemon) == 0, "the cluster was gone")
        else:
            frozen = fault == "worker frozen"
            cluster.signal("one", signal.SIGSTOP if frozen else signal.SIGKILL)
            daemon.wait_for("lost")
        print(f"{fault}: known, and the file back in the queue, {time.monotonic() - began:.1f} s")
        if fault == "scheduler killed":
            cluster.start_scheduler()
            daemon.wait_until(lambda: places(daemon) == 2, "both workers were there again")
            print(f"{fault}: all there again after {time.monotonic() - began:.1f} s")
        elif fault == "worker frozen":
            time.sleep(max(0.0, 60 - (time.monotonic() - began)))
            never.touch()  # it works on when it wakes, and answers too late
            cluster.signal("one", signal.SIGCONT)
        never.touch()
        gate.touch()
        daemon.wait_for_ends(4)
        if fault == "worker frozen":
            daemon.wait_until(lambda: places(daemon) == 2, "it was used again")
            print(f"{fault}: used again {time.monotonic() - began - 60:.1f} s after it woke")
    assert_each_came_out_once(daemon, 4)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_dask_gives_to_a_worker_that_is_frozen_already_comes_back(
    cluster: DaskCluster,
) -> None:
    gate = cluster.root / "gate"
    cluster.add("frozen", {"lend": {"files": 2}})
    daemon = owner(cluster, transcribe=f"gate:{gate}")
    with running(daemon):
        daemon.wait_until(lambda: places(daemon) == 2, "the worker was there")
        cluster.signal("frozen", signal.SIGSTOP)
        drop_numbered(daemon, 5)
        daemon.wait_until(lambda: lent(daemon) > 0, "Dask had some")
        began = time.monotonic()
        gate.touch()
        daemon.wait_for_ends(5, 200)
        print(f"all done {time.monotonic() - began:.1f} s after they were given to it")
    assert_each_came_out_once(daemon, 5)
    assert not daemon.events("lost")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_with_tls_who_has_no_certificate_of_the_cluster_is_refused(tmp_path: Path) -> None:
    tls, other = certificates(tmp_path / "ours"), certificates(tmp_path / "theirs")
    cluster = DaskCluster(tmp_path, tls)
    cluster.start_scheduler()
    try:
        cluster.add("worker")
        keys = {f"tls_{name}": path for name, path in tls.items()}
        wrong = {f"tls_{name}": path for name, path in other.items()}
        stranger = DaemonProcess.faked(
            tmp_path / "stranger", {**DEMO, "cluster": {"scheduler": cluster.address, **wrong}}
        )
        daemon = DaemonProcess.faked(
            tmp_path / "owner",
            {**DEMO, "cluster": {"scheduler": cluster.address, **keys}},
            transcribe=f"gate:{tmp_path / 'gate'}",
        )
        with running(daemon), running(stranger):
            daemon.wait_until(lambda: places(daemon) == 2, "the worker was there")
            drop_numbered(daemon, 4)
            daemon.wait_for("lent")
            (tmp_path / "gate").touch()
            daemon.wait_for_ends(4)
            stranger.wait_until(
                lambda: "does not answer" in stranger.events("host")[-1]["reason"],
                "it was refused",
            )
            print(stranger.events("host")[-1]["reason"])
        assert_each_came_out_once(daemon, 4)
        assert places(stranger) == 0
    finally:
        cluster.close()


def certificates(folder: Path) -> dict[str, str]:
    """An authority, and a certificate that it signed."""
    folder.mkdir()
    ca, key, cert, request = (folder / f"{n}.pem" for n in ("ca", "key", "cert", "request"))
    ca_key = folder / "ca-key.pem"
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *made, "-keyout", ca_key, "-out", ca, "-subj", "/CN=authority")
    openssl("req", *made[:4], "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=dropscribe")
    signed = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", request, *signed, "-out", cert)
    return {"ca": str(ca), "cert": str(cert), "key": str(key)}


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "mac2:8786", "tls://x", "ucx://a:1"])
def test_an_address_that_would_go_in_the_clear_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"cluster\.scheduler"):
        config_file.validated({"cluster": {"scheduler": address}})


def test_tls_needs_its_files() -> None:
    with pytest.raises(UsageError, match="tls_ca is missing"):
        config_file.validated({"cluster": {"scheduler": "tls://login:8786"}})
