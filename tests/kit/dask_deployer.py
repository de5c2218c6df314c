"""One of Dask's own deployers, with two workers: `dask_deployer.py KIND FOLDER`, until stdin ends.

Writes the scheduler's address to FOLDER/address. `slurm` is dask-jobqueue's real code over an
`sbatch` in FOLDER that starts a job here; `ssh` is SSHCluster's, over an sshd whose port and key
FOLDER has.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import SpecCluster

PRELOAD = str(Path(__file__).with_name("dask_preload.py"))
_SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "{folder}/job-$$.sh"
setsid sh "{folder}/job-$$.sh" >"{folder}/slurm-$$.out" 2>&1 </dev/null &
echo "Submitted batch job $!"
"""
_SCANCEL = "#!/bin/sh\nkill -- -$1\n"


def local(_: Path) -> SpecCluster:
    from distributed import LocalCluster  # noqa: PLC0415 - one of them only

    given = {"resources": {"dropscribe": 1}, "preload": [PRELOAD]}
    return LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, **given)


def slurm(folder: Path) -> SpecCluster:
    from dask_jobqueue import SLURMCluster  # noqa: PLC0415

    for name, text in {"sbatch": _SBATCH, "scancel": _SCANCEL}.items():
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    extra = ["--resources", "dropscribe=1", "--preload", PRELOAD]
    cluster = SLURMCluster(
        cores=2,
        processes=1,
        memory="1GB",
        interface="lo",
        python=sys.executable,
        local_directory=str(folder),
        worker_extra_args=extra,
        scheduler_options={"dashboard_address": None},
    )
    cluster.scale(jobs=2)
    return cluster


def ssh(folder: Path) -> SpecCluster:
    from distributed import SSHCluster  # noqa: PLC0415

    options = {
        "port": int((folder / "port").read_text()),
        "known_hosts": None,
        "client_keys": [str(folder / "key")],
    }
    return SSHCluster(
        ["127.0.0.1"] * 3,
        connect_options=options,
        worker_options={"nthreads": 2, "resources": {"dropscribe": 1}, "preload": [PRELOAD]},
        scheduler_options={"port": 0, "host": "127.0.0.1", "dashboard": False},
        remote_python=sys.executable,
    )


def main(kind: str, folder: Path) -> None:
    with {"local": local, "slurm": slurm, "ssh": ssh}[kind](folder) as cluster:
        (folder / "address.new").write_text(cluster.scheduler_address)
        (folder / "address.new").rename(folder / "address")
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
