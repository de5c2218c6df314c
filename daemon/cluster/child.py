"""The cluster child: `python -m daemon.cluster.child`, a stage process that works elsewhere.

The daemon speaks to it as to a stage (handoff/protocol.py); it holds a connection to each machine
(host.py). It decides nothing about jobs, and ends with its stdin.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Protocol

from daemon.cluster import ssh
from daemon.cluster.host import Host
from daemon.cluster.wire import BEAT_SECONDS
from daemon.config.settings import Cluster
from daemon.config.table import read
from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json
from daemon.handoff.protocol import (
    Hosts,
    HostState,
    Lend,
    Message,
    Ready,
    Recall,
    Receipt,
    Usage,
    message_line,
    parse_lend,
)

_A_MESSAGE = 20  # machines that a message tells of: it is a line, and not an endless one


class Lending(Protocol):
    """Where recordings are lent to: a machine, or a cluster. See `Host`."""

    state: HostState

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def lend(self, folder: Path, nonce: str) -> None: ...
    def recall(self, nonce: str) -> None: ...
    def has_jobs(self) -> bool: ...


class NoDask:
    """Stands for a Dask cluster where Dask is not installed."""

    def __init__(self, scheduler: str) -> None:
        missing = "Dask is not installed here: pip install 'dropscribe[cluster]'"
        self.state = HostState(scheduler, "away", missing)

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def lend(self, folder: Path, nonce: str) -> None: ...
    def recall(self, nonce: str) -> None: ...
    def has_jobs(self) -> bool:
        return False


class Child:
    """All machines of the configuration, and the way back to the daemon."""

    def __init__(self, output: int, state: Path, settings: Json, cluster: Cluster) -> None:
        self._output = output
        self._writing = threading.Lock()
        self._rung = threading.Event()
        self._hosts: dict[str, Lending] = {
            name: Host(name, ssh.command(state, name), settings, self.tell, self._rung.set)
            for name in cluster.hosts
        }
        if cluster.scheduler:
            self._hosts[cluster.scheduler] = self._dask(cluster, settings)

    def _dask(self, cluster: Cluster, settings: Json) -> Lending:
        try:
            from daemon.cluster.dask_connection import DaskAddress  # noqa: PLC0415 - an extra
            from daemon.cluster.dask_hosts import DaskHosts  # noqa: PLC0415
        except ImportError:
            return NoDask(cluster.scheduler)
        return DaskHosts(DaskAddress.of(cluster), settings, self.tell, self._rung.set)

    def tell(self, message: Message) -> None:
        with self._writing:
            data = message_line(message)
            while data:
                data = data[os.write(self._output, data) :]

    def run(self) -> None:
        """Until stdin ends."""
        self.tell(Ready())
        for host in self._hosts.values():
            host.start()
        self._rung.set()
        threading.Thread(target=self._report, daemon=True).start()
        for line in sys.stdin.buffer:
            self._ask(line)
        for host in self._hosts.values():
            host.stop()

    def _ask(self, line: bytes) -> None:
        match parse_lend(line):
            case Lend(folder, nonce, name) if name in self._hosts:
                self._hosts[name].lend(folder, nonce)
            case Lend(_, nonce, _):
                message = "the machine is not in cluster.hosts"
                self.tell(Receipt(nonce, Usage(), FailureKind.NOT_BEGUN, message))
            case Recall(nonce):
                for host in self._hosts.values():
                    host.recall(nonce)

    def _report(self) -> None:
        """How the machines are, when that changes; and as a sign of life while they have jobs."""
        told: dict[str, HostState] = {}
        while True:
            self._rung.wait(BEAT_SECONDS)
            self._rung.clear()
            states = {name: host.state for name, host in self._hosts.items()}
            changed = [state for name, state in states.items() if told.get(name) is not state]
            told = states
            if not changed and any(host.has_jobs() for host in self._hosts.values()):
                self.tell(Hosts(()))
            for at in range(0, len(changed), _A_MESSAGE):
                self.tell(Hosts(tuple(changed[at : at + _A_MESSAGE])))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--cluster", required=True)
    given = parser.parse_args()
    cluster = read(Cluster, json.loads(given.cluster))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the daemon gets it, and ends us
    output = os.dup(1)
    os.dup2(2, 1)  # what prints goes to the log
    Child(output, given.state, json.loads(given.settings), cluster).run()
    os._exit(0)


if __name__ == "__main__":
    main()
