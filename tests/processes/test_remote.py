"""What the daemon knows of other machines: each message tells of some of them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from daemon.cluster import child
from daemon.domain.languages import ENGLISH_NAMES
from daemon.handoff.protocol import MAX_LINE, Hosts, HostState, message_line
from daemon.processes.pipes import Pipes
from daemon.processes.remote import RemoteHosts
from daemon.processes.worker import Worker, WorkerMessage

MAC = HostState("mac2", "ready", "", 2)


def test_what_is_not_told_anew_stays_known(tmp_path: Path) -> None:
    hosts = RemoteHosts(tmp_path, lambda _: None, cast(Pipes, None))
    speaker = cast(Worker, object())
    hosts._child = speaker
    away = HostState("mac2", "away", "it runs on battery")
    other = HostState("mac3", "ready", "", 2)
    for states in ((MAC, other), (away,), ()):
        hosts._hear(WorkerMessage(speaker, Hosts(states)))
    assert hosts.states() == (away, other)


def test_a_message_of_many_machines_fits_into_a_line() -> None:
    long = HostState(
        f"somebody@a-rather-long-name.of-a-machine.example.org:{'2' * 5}",
        "away",
        "x" * 500,
        2,
        123.45,
        123_456_789,
        tuple(f"a-rather-long-name-of-a-model-{number}" for number in range(12)),
        tuple(ENGLISH_NAMES),
        128_000_000_000,
    )
    assert len(message_line(Hosts((long,) * child._A_MESSAGE))) < MAX_LINE
