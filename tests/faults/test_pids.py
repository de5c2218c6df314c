"""Row F70: the number of a process that has ended is another process's by now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from daemon.processes.process_tree import WORKER_VARIABLE, ProcessTree
from tests.kit.daemon_process import wait_until

_LAST = Path("/proc/sys/kernel/ns_last_pid")  # the number that Linux gave last
_TRIES = 500  # others start processes, too
_TICK = 0.02  # seconds: times of a start are told in hundredths
_SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(60)")

pytestmark = pytest.mark.skipif(
    not os.access(_LAST, os.W_OK) or os.geteuid() != 0, reason="choosing a pid needs Linux and root"
)


def _started_as(pid: int, command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
    """Run the command as a process of this number, which must be free."""
    time.sleep(_TICK)
    for _ in range(_TRIES):
        _LAST.write_text(str(pid - 1))
        process = subprocess.Popen(command, env={**os.environ, **environment})
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.skip("other processes took that number each time")


def test_a_stranger_with_a_dead_childs_number_gets_no_signal_f70() -> None:
    root = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait; exec sleep 60"], stdout=subprocess.PIPE
    )
    assert root.stdout
    child = int(root.stdout.readline())
    tree = ProcessTree(root.pid)
    tree.look_below()
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(child), "its parent had reaped it")
    stranger = _started_as(child, _SLEEP)
    try:
        tree.signal_below(signal.SIGKILL)
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.2)
    finally:
        for process in (stranger, root):
            process.kill()
            process.communicate()


def test_an_orphan_with_the_number_of_a_process_of_an_earlier_look_is_found_f70() -> None:
    seen = subprocess.Popen(_SLEEP)
    tree = ProcessTree(os.getpid())
    tree.look_for_orphans("nobody")
    seen.kill()
    seen.wait()
    orphan = _started_as(seen.pid, _SLEEP, **{WORKER_VARIABLE: "the dead one"})
    try:
        tree.look_for_orphans("the dead one")
        tree.signal_below(signal.SIGKILL)
        assert orphan.wait(10) == -signal.SIGKILL
    finally:
        orphan.kill()
        orphan.wait()
