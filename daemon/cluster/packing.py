"""A large recording travels as the FLAC of its audio, where that is smaller: a film, or plain PCM.

It is decoded here then, by PREPARE in its sandbox, and once more there. What is compressed already
(an MP3, an M4A) travels as it is: to decode it here would cost more than the bytes that it saves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.media import PLAIN_OR_VIDEO
from daemon.files.faults import explain
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError, JobRequest
from daemon.handoff.protocol import Receipt, Request, parse_message, request_line
from daemon.models.hardware import stage_environment

FROM_BYTES = 50_000_000  # below, it is not worth the work
_SECONDS = 3600.0  # that it may take
_AT_ONCE = threading.Semaphore(2)  # recordings that are decoded for it
_FLAC = "audio.flac"
_PREPARE = (sys.executable, "-P", "-s", "-m", "daemon.stages.prepare")
_ENCODE = (sys.executable, "-P", "-s", "-m", "daemon.cluster.flac")


@dataclass(frozen=True, slots=True)
class Packed:
    """What travels, and what PREPARE found in the recording itself."""

    flac: Path
    prepared: Path


def is_worth_it(request: JobRequest) -> bool:
    """Whether FLAC is likely to be much smaller, and holds all that is wanted of the recording."""
    suffix = request.source.suffix.lower().removeprefix(".")
    is_one_sound = request.tracks != "all" and request.speakers != "channels"
    return request.identity.size >= FROM_BYTES and suffix in PLAIN_OR_VIDEO and is_one_sound


def pack(
    request: JobRequest, nonce: str, folder: Path, is_wanted: Callable[[], bool]
) -> Packed | None:
    """Make it in `folder`; None if that cannot be, or is no use: then the recording travels."""
    audio, flac = folder / artefacts.AUDIO, folder / _FLAC
    try:
        folder.mkdir(mode=0o700)
        request.write(folder)
        with _AT_ONCE, (folder / artefacts.LOG).open("ab") as log:
            _prepare(folder, nonce, is_wanted, log.fileno())
            prepared = artefacts.read_prepared(folder, nonce)
            if prepared.lanes or not is_wanted():
                return None
            command = [*_ENCODE, str(audio), str(flac)]
            subprocess.run(command, stdout=log, stderr=log, check=True, timeout=_SECONDS)
        if flac.stat().st_size >= request.identity.size:
            return None
    except (OSError, InvalidArtefactError, subprocess.SubprocessError) as error:
        text = explain(error) if isinstance(error, OSError) else str(error)
        print(f"{request.source.name} travels as it is: {text}", file=sys.stderr)  # noqa: T201
        return None
    finally:
        audio.unlink(missing_ok=True)
    return Packed(flac, folder / artefacts.PREPARED)


def _prepare(folder: Path, nonce: str, is_wanted: Callable[[], bool], log: int) -> None:
    """Run the stage, to its receipt. Its artefact tells how it went."""
    process = subprocess.Popen(
        _PREPARE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=folder,
        env=stage_environment(os.environ),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    limit = threading.Timer(_SECONDS, process.kill)
    limit.start()
    try:
        process.stdin.write(request_line(Request(folder, nonce)))
        process.stdin.flush()
        for line in process.stdout:
            if isinstance(parse_message(line), Receipt) or not is_wanted():
                break
    finally:
        limit.cancel()
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()
