"""The cluster child as the daemon has it: a process that ends with its stdin."""

from __future__ import annotations

import signal
from pathlib import Path

from daemon.handoff.protocol import Hosts, Ready
from tests.kit.stage_process import stage

_CHILD = [
    "-m",
    "daemon.cluster.child",
    "--settings={}",
    '--cluster={"hosts": ["ssh://127.0.0.1:1"]}',
]


def test_ctrl_c_in_a_terminal_is_the_daemons_to_answer(tmp_path: Path) -> None:
    """It reaches the child as well: who died of it would have lost what others are working on."""
    with stage([*_CHILD, f"--state={tmp_path}"], tmp_path / "child.log") as process:
        assert process.hear() == Ready()
        assert isinstance(process.hear(), Hosts)
        process.process.send_signal(signal.SIGINT)
        assert process.close() == 0
