"""`dask worker --preload`: the `dropscribe lend` of this worker has fake stages."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from daemon.cluster import dask_lender
from tests.kit.daemon_process import RUNNER


def dask_setup(_worker: object) -> None:
    def command(state: Path) -> list[str]:
        return [sys.executable, "-s", str(RUNNER), "--", "lend", "--state", str(state)]

    dask_lender.lend_command = command  # type: ignore[assignment]
