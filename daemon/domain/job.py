"""One file's journey: what is next for it, who it is, and how it may fail. Pure data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from daemon.domain.names import printable


class Stage(StrEnum):
    """What is next for a job. There is no "running": after a crash there is nothing to repair."""

    PREPARE = "prepare"
    TRANSCRIBE = "transcribe"
    ALIGN = "align"
    DIARIZE = "diarize"  # begun when PREPARE has ended; next only if it is still wanted after ALIGN
    PUBLISH = "publish"
    QUARANTINE = "quarantine"  # decided to fail; the source still has to move to failed/
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"  # the user took the file away before it was read


TERMINAL = frozenset({Stage.DONE, Stage.FAILED, Stage.GONE})
ENDING = TERMINAL | {Stage.QUARANTINE}  # nothing that a stage finds matters any more

# Every step that a job can take; the ledger refuses any other. What leads to each of them is told
# in daemon/supervisor/transitions.py.
TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.PREPARE: frozenset(
        {
            Stage.TRANSCRIBE,
            Stage.ALIGN,  # the same bytes were transcribed before
            Stage.DONE,  # the same bytes were delivered before
            Stage.GONE,
            Stage.QUARANTINE,
        }
    ),
    Stage.TRANSCRIBE: frozenset(
        {
            Stage.ALIGN,
            Stage.DIARIZE,  # no words are wanted
            Stage.PUBLISH,  # nor speakers, or there is no speech
            Stage.PREPARE,  # the file changed, or its folder was tidied away
            Stage.QUARANTINE,
        }
    ),
    Stage.ALIGN: frozenset({Stage.DIARIZE, Stage.PUBLISH, Stage.PREPARE, Stage.QUARANTINE}),
    Stage.DIARIZE: frozenset({Stage.PUBLISH, Stage.PREPARE, Stage.QUARANTINE}),
    Stage.PUBLISH: frozenset({Stage.DONE, Stage.PREPARE, Stage.QUARANTINE}),
    Stage.QUARANTINE: frozenset({Stage.FAILED, Stage.PREPARE}),
    Stage.GONE: frozenset({Stage.PREPARE, Stage.QUARANTINE}),  # the same file is back
    Stage.DONE: frozenset(),
    Stage.FAILED: frozenset(),
}


class FailureKind(StrEnum):
    """Why a stage did not succeed. The kind alone decides what happens next."""

    BAD_INPUT = "bad_input"  # this file will never work: quarantine it
    INCOMPLETE = "incomplete"  # it cannot be read; if it is still being written, it may later be
    ENVIRONMENT = "environment"  # not the file's fault: pause the queue, burn no attempt
    NO_ROOM = "no_room"  # its audio fills the disk, perhaps beside others': again, alone
    CRASHED = "crashed"  # the process died without a valid result: retry
    TIMED_OUT = "timed_out"  # stopped for lack of progress or time: retry
    MEMORY = "memory"  # stopped for outgrowing its limit: retry
    CHANGED = "changed"  # the file changed while it was read: back to settling
    VANISHED = "vanished"  # the file is no longer there
    INTERRUPTED = "interrupted"  # the daemon itself died too often while at it: quarantine it
    NOT_BEGUN = "not_begun"  # its process died over another file: again, and it does not count
    SUSPECTED = "suspected"  # its process died over this file or another: again, alone
    LOST = "lost"  # lent to another machine, which did not bring it to an end: again, here
    CANCELLED = "cancelled"  # a person gave it up


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure and a sentence for a person: what happened and what to do now."""

    stage: Stage
    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Which bytes a path held when we looked. Times are nanoseconds; `size` is bytes.

    Each number fits 64 bits with a sign, which is all that the ledger can keep: some network
    volumes use the highest bit of an inode, and a time may lie far away.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        return cls(
            status.st_size,
            _signed(status.st_mtime_ns),
            _signed(status.st_ctime_ns),
            _signed(status.st_ino),
        )


def _signed(number: int) -> int:
    """The lowest 64 bits, read with a sign."""
    if 0 <= number < 2**63:  # as nearly all are, and a scan asks for three a file
        return number
    return (number + 2**63) % 2**64 - 2**63


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in the inbox. `refusal` says why it cannot be a recording, if that is known."""

    path: Path
    identity: Identity
    refusal: str | None = None


DECODED_A_SECOND = 2_000_000  # bytes of a recording that PREPARE gets through: an estimate


@dataclass(frozen=True, slots=True)
class Job:
    """One admitted file, as the ledger knows it. `admitted_at` is Unix time."""

    id: int
    source: Path
    identity: Identity
    next: Stage
    admitted_at: float
    finished_at: float | None = None
    stem: str | None = None  # the outputs' name, once it is reserved
    failure: Failure | None = None

    @property
    def name(self) -> str:
        """The file's name, printable: no control characters, no invalid bytes."""
        return printable(self.source.name)

    @property
    def estimated_seconds(self) -> float:
        """How long it takes, by the size of the recording: a rough guess that only orders files."""
        return self.identity.size / DECODED_A_SECOND

    @property
    def has_begun_delivery(self) -> bool:
        """Part of its results may be in the outbox."""
        return self.next is Stage.PUBLISH and self.stem is not None


class StageRecord(msgspec.Struct, frozen=True):
    """How one stage of one job went: the row behind timing.json. Times are Unix seconds.

    Some twenty are made for each file; a frozen dataclass of so many fields is slow to make.
    """

    stage: Stage
    starts: int = 0
    failures: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    exit: str = ""  # "ok", or the short form of how it failed
    kind: FailureKind | None = None  # of the last failure
    reason: str = ""  # the sentence for a person

    def interruptions(self) -> int:
        """Starts whose end nobody saw: the daemon was killed, or the Mac lost power."""
        return self.starts - self.failures - (self.exit == "ok")
