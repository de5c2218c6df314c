"""What the daemon and its stage processes say to each other: one JSON object a line.

To the stage (stdin):   {"job": FOLDER, "nonce": N}   work on this job folder
                        {"nonce": N, "complete": B}   a doorbell: there is more to read; B: the
                                                      input is whole now
                        end of file                   exit now
From it (stdout):       {"type": "ready"}             imports are done
                        {"type": "progress", "nonce": N, "done": S, "total": S}
                        {"type": "receipt", "nonce": N, "usage": {…}, "kind": null, "message": ""}
                                                      a failure has a kind and a sentence

The cluster child takes jobs to other machines, several at a time. It speaks the same, and besides:

To it:                  {"job": FOLDER, "nonce": N, "host": H}   have this job done there
                        {"recall": N}                 it is not wanted any more
From it:                {"type": "hosts", "hosts": […]}          how those hosts are that changed
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from daemon.domain.job import FailureKind
from daemon.domain.validation import Count, Line, Seconds, from_json, to_json

MAX_LINE = 64 * 1024  # bytes; a longer line is not ours
MAX_SENTENCE = 2000  # characters of a failure's sentence


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
class Lend:
    """Have this folder's job done by `host`: PREPARE to the last stage before PUBLISH."""

    folder: Path
    nonce: str
    host: str


@dataclass(frozen=True, slots=True)
class Recall:
    """The job that was lent in that attempt is not wanted any more."""

    nonce: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The stage has imported what it needs."""

    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Progress:
    """A heartbeat: audio seconds done of those in total."""

    nonce: Line
    done: Seconds
    total: Seconds
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one job cost the stage process."""

    cpu_seconds: Seconds = 0.0
    peak_rss_bytes: Count = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a request. A failed one has a kind and a sentence for a person."""

    nonce: Line
    usage: Usage
    kind: FailureKind | None = None
    message: Annotated[str, Meta(max_length=MAX_SENTENCE)] = ""
    type: Literal["receipt"] = "receipt"


@dataclass(frozen=True, slots=True)
class HostState:
    """Another machine that lends itself, as it was heard of last.

    `places`: how many files it takes at a time; 0 while it takes none, and `reason` says why.
    `speed`: audio seconds a second, 0 until it is measured; `bytes_per_second`: of the network.
    `models`, `aligners` (by language), `free_bytes`: what it has for a recording.
    `workers`: a line for a person about each of those that it stands for, if it is a cluster.
    """

    name: Line
    state: Literal["connecting", "ready", "away"]
    reason: Line = ""
    places: Count = 0
    speed: Seconds = 0.0
    bytes_per_second: Count = 0
    models: tuple[Line, ...] = ()
    aligners: tuple[Line, ...] = ()
    free_bytes: Count = 0
    workers: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosts:
    """Those that have changed; none, as a sign of life."""

    hosts: tuple[HostState, ...]
    type: Literal["hosts"] = "hosts"


Message = Ready | Progress | Receipt | Hosts
AnyRequest = Request | MoreInput | Lend | Recall


@dataclass(frozen=True, slots=True)
class _Tagged:
    type: Literal["ready", "progress", "receipt", "hosts"]


_MESSAGES: Mapping[str, type[Message]] = {
    "ready": Ready,
    "progress": Progress,
    "receipt": Receipt,
    "hosts": Hosts,
}


def request_line(request: AnyRequest) -> bytes:
    match request:
        case Lend(folder, nonce, host):
            return _line({"job": str(folder), "nonce": nonce, "host": host})
        case Recall(nonce):
            return _line({"recall": nonce})
        case Request(folder, nonce):
            return _line({"job": str(folder), "nonce": nonce})
        case MoreInput(nonce, complete, alone):
            return _line({"nonce": nonce, "complete": complete, "alone": alone})


def parse_request(line: bytes) -> Request | MoreInput:
    data = json.loads(line)
    if "job" in data:
        return Request(Path(data["job"]), str(data["nonce"]))
    return MoreInput(str(data["nonce"]), bool(data["complete"]), bool(data["alone"]))


def parse_lend(line: bytes) -> Lend | Recall:
    """What the cluster child is asked."""
    data = json.loads(line)
    if "recall" in data:
        return Recall(str(data["recall"]))
    return Lend(Path(data["job"]), str(data["nonce"]), str(data["host"]))


def message_line(message: Message) -> bytes:
    if isinstance(message, Receipt):
        message = replace(message, message=message.message[:MAX_SENTENCE])
    return _line(to_json(message))


def parse_message(line: bytes) -> Message | None:
    """What a stage said; None if the line is not of this protocol."""
    try:
        return from_json(_MESSAGES[from_json(_Tagged, line).type], line)
    except ValueError:
        return None


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"
