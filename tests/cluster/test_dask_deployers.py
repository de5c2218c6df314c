"""Clusters as Dask's own deployers start them: on this machine, through Slurm, over ssh."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.test_dask import assert_each_came_out_once, drop_numbered, places
from tests.kit.daemon_process import DEMO, DaemonProcess, running, wait_until

DEPLOYER = Path(__file__).parents[1] / "kit" / "dask_deployer.py"
_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
_NEEDED = {"local": "distributed", "slurm": "dask_jobqueue", "ssh": "asyncssh"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("kind", ["local", "slurm", "ssh"])
def test_files_are_worked_on_where_a_deployer_of_dasks_started_workers(
    tmp_path: Path, kind: str
) -> None:
    if importlib.util.find_spec(_NEEDED[kind]) is None:
        pytest.skip(f"needs {_NEEDED[kind]}")
    folder = tmp_path / "cluster"
    folder.mkdir()
    server = serve_ssh(folder) if kind == "ssh" else None
    worker = DaemonProcess.on(tmp_path / "worker")
    environment = os.environ | {"DROPSCRIBE_CONFIG": str(worker.root / "config.toml")}
    with (folder / "log").open("wb") as log:
        deployer = subprocess.Popen(
            [sys.executable, str(DEPLOYER), kind, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        wait_until(lambda: (folder / "address").exists() or deployer.poll(), "it was there")
        assert deployer.poll() is None, (folder / "log").read_text()
        tables = {**DEMO, "cluster": {"scheduler": (folder / "address").read_text()}}
        gate = tmp_path / "gate"
        daemon = DaemonProcess.faked(tmp_path / "owner", tables, transcribe=f"gate:{gate}")
        with running(daemon):
            daemon.wait_until(lambda: places(daemon) == 2, "both workers were there")
            drop_numbered(daemon, 6)
            daemon.wait_for("lent", 3)
            gate.touch()
            daemon.wait_for_ends(6)
        assert_each_came_out_once(daemon, 6)
        workers = {event["message"].rpartition(" ")[2] for event in daemon.events("lent")}
        print(f"{kind}: by {workers}")
        assert len(workers) == 2
    finally:
        deployer.communicate(timeout=60)
        if server is not None:
            server.terminate()
            server.wait()


def serve_ssh(folder: Path) -> subprocess.Popen[bytes]:
    """An sshd on loopback that lets the key in `folder` in."""
    for name in ("key", "host_key"):
        made = ("-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(("ssh-keygen", *made), check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "port").write_text(str(port))
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host_key'}\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin yes\nPermitUserEnvironment no\n"
        f"SetEnv DROPSCRIBE_CONFIG={folder.parent / 'worker' / 'config.toml'}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        command = (_SSHD, "-D", "-e", "-f", str(folder / "sshd_config"))
        return subprocess.Popen(command, stdout=log, stderr=log)
