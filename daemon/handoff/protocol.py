"""What the daemon and its stage processes say to each other: one JSON object a line.

To the stage (stdin):   {"job": FOLDER, "nonce": N}   work on this job folder
                        {"nonce": N, "complete": B}   a doorbell: there is more to read; B: the
                                                      input is whole now
                        end of file                   exit now
From it (stdout):       {"type": "ready"}             imports are done
                        {"type": "progress", "nonce": N, "done": S, "total": S}
                        {"type": "receipt", "nonce": N, "ok": true, "usage": {…}}
                        {"type": "receipt", "nonce": N, "ok": false, "kind": K, "message": M}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.domain.job import FailureKind

MAX_LINE = 64 * 1024  # bytes; a longer line is not ours


@dataclass(frozen=True, slots=True)
class Request:
    """Work on this folder; `nonce` names the attempt and must come back in the artefact."""

    folder: Path
    nonce: str


@dataclass(frozen=True, slots=True)
class MoreInput:
    """More input is there for a job that was already requested.

    `complete`: all of it is; `alone`: and no transcription needs the processor any more.
    """

    nonce: str
    complete: bool
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The stage has imported what it needs."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A heartbeat: audio seconds done of those in total."""

    nonce: str
    done: float
    total: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What one job cost the stage process."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a request. A failed one has a kind and a sentence for a person."""

    nonce: str
    usage: Usage
    kind: FailureKind | None = None
    message: str = ""


Message = Ready | Progress | Receipt


def request_line(request: Request | MoreInput) -> bytes:
    match request:
        case Request(folder, nonce):
            return _line({"job": str(folder), "nonce": nonce})
        case MoreInput(nonce, complete, alone):
            return _line({"nonce": nonce, "complete": complete, "alone": alone})


def parse_request(line: bytes) -> Request | MoreInput:
    data = json.loads(line)
    if "job" in data:
        return Request(Path(data["job"]), str(data["nonce"]))
    return MoreInput(str(data["nonce"]), bool(data["complete"]), bool(data["alone"]))


def message_line(message: Message) -> bytes:
    match message:
        case Ready():
            return _line({"type": "ready"})
        case Progress(nonce, done, total):
            return _line({"type": "progress", "nonce": nonce, "done": done, "total": total})
        case Receipt(nonce, usage, kind, text):
            data = {
                "type": "receipt",
                "nonce": nonce,
                "ok": kind is None,
                "usage": {
                    "cpu_seconds": round(usage.cpu_seconds, 3),
                    "peak_rss_bytes": usage.peak_rss_bytes,
                },
            }
            return _line(data if kind is None else data | {"kind": kind, "message": text})


def parse_message(line: bytes) -> Message | None:
    """What a stage said; None if the line is not of this protocol."""
    try:
        data = json.loads(line)
        return _message(data) if isinstance(data, dict) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _message(data: Mapping[str, Any]) -> Message | None:
    match data["type"]:
        case "ready":
            return Ready()
        case "progress":
            return Progress(str(data["nonce"]), float(data["done"]), float(data["total"]))
        case "receipt":
            usage = Usage(float(data["usage"]["cpu_seconds"]), int(data["usage"]["peak_rss_bytes"]))
            if data["ok"] is True:
                return Receipt(str(data["nonce"]), usage)
            kind = FailureKind(data["kind"])
            return Receipt(str(data["nonce"]), usage, kind, str(data["message"])[:2000])
        case _:
            return None


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"
