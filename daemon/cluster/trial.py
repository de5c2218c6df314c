"""One recording's way to another machine and back, to prove that the machine can be used."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from pathlib import Path

from daemon.cluster import ssh
from daemon.cluster.host import Host
from daemon.config.profile import for_another_machine, shared_settings
from daemon.config.settings import Config
from daemon.domain.job import Identity
from daemon.errors import DropscribeError
from daemon.handoff import lent
from daemon.handoff.artefacts import InvalidArtefactError, JobRequest
from daemon.handoff.protocol import Message, Receipt

_CONNECT_SECONDS = 60.0
_WORK_SECONDS = 600.0  # a large model is loaded first
_NONCE = "0" * 16
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went. Seconds."""

    connected: float
    worked: float
    segments: int
    audio: float


def try_out(config: Config, host: str, recording: Path, folder: Path) -> Trial:
    """Have `recording` worked on there; `folder` takes what comes back.

    Raises DropscribeError with what to do.
    """
    request = JobRequest(
        source=recording,
        identity=Identity.of(recording.lstat()),
        language=None,
        languages=(),
        initial_prompt=None,
        max_bytes=config.limits.max_file_mb * _MB,
        max_seconds=config.limits.max_audio_hours * 3600,
    )
    request.write(folder)
    lent.write_order(folder, for_another_machine(config), config.align.enabled, "off")
    told: queue.SimpleQueue[Message] = queue.SimpleQueue()
    command = ssh.command(config.paths.state, host)
    machine = Host(host, command, shared_settings(config), told.put, lambda: None)
    began = time.monotonic()
    machine.start()
    try:
        _wait_until_ready(machine)
        connected = time.monotonic()
        machine.lend(folder, _NONCE)
        receipt = _receipt(told, host)
    finally:
        machine.stop()
    if receipt.kind is not None:
        raise DropscribeError(f"{host}: {receipt.message}")
    try:
        results = lent.read_results(folder, _NONCE)
    except InvalidArtefactError as error:
        raise DropscribeError(f"{host}: what came back cannot be used: {error}") from error
    ended = time.monotonic()
    segments, audio = len(results.recognition.segments), results.prepared.duration
    return Trial(connected - began, ended - connected, segments, audio)


def _wait_until_ready(machine: Host) -> None:
    deadline = time.monotonic() + _CONNECT_SECONDS
    while machine.state.state == "connecting" and time.monotonic() < deadline:
        if machine.state.reason != machine.UNHEARD:
            break
        time.sleep(0.1)
    if machine.state.state != "ready":
        raise DropscribeError(f"{machine.state.name}: {machine.state.reason}")


def _receipt(told: queue.SimpleQueue[Message], host: str) -> Receipt:
    deadline = time.monotonic() + _WORK_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            message = told.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(message, Receipt):
            return message
    raise DropscribeError(f"{host}: no answer after {_WORK_SECONDS:.0f} s")
