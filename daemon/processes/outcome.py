"""How an attempt ended, in a kind that decides and a sentence that a person understands."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import FailureKind, Stage

_DOING = {
    Stage.PREPARE: "decoding",
    Stage.TRANSCRIBE: "transcription",
    Stage.ALIGN: "alignment",
    Stage.DIARIZE: "telling speakers apart",
    Stage.PUBLISH: "delivery",
}

_SIGNALS: dict[int, str] = {
    signal.SIGSEGV: "crashed with a memory error (SIGSEGV)",
    signal.SIGBUS: "crashed with a memory error (SIGBUS)",
    signal.SIGABRT: "aborted itself (SIGABRT)",
    signal.SIGILL: "crashed on an illegal instruction (SIGILL)",
    signal.SIGFPE: "crashed on an arithmetic error (SIGFPE)",
    signal.SIGKILL: "was killed (SIGKILL), most likely because the system ran out of memory",
    signal.SIGTERM: "was told to stop by another program (SIGTERM)",
}

_GPU_SIGNS = (b"[METAL] Command buffer execution failed", b"kIOGPUCommandBufferCallbackError")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` None: it succeeded. `exit` is the short form for timing.json."""

    kind: FailureKind | None = None
    message: str = ""
    exit: str = "ok"


def succeeded() -> Outcome:
    return Outcome()


def failed(kind: FailureKind, message: str) -> Outcome:
    return Outcome(kind, message, str(kind))


def died(stage: Stage, code: int | None) -> Outcome:
    """The process ended without a receipt. `code` None: not even SIGKILL ended it."""
    doing = _DOING[stage]
    if code is None:
        return Outcome(FailureKind.CRASHED, f"{doing} hangs in the system", "stuck")
    if code < 0:
        how = _SIGNALS.get(-code, f"was ended by signal {-code}")
        return Outcome(FailureKind.CRASHED, f"{doing} {how}", f"signal {-code}")
    how = "ended without a result" if code == 0 else f"ended with exit code {code}"
    return Outcome(FailureKind.CRASHED, f"{doing} {how}", f"exit {code}")


def died_over_another(stage: Stage, suspected: bool) -> Outcome:
    """The process died with several files; this one is not known to be the cause."""
    kind = FailureKind.SUSPECTED if suspected else FailureKind.NOT_BEGUN
    return Outcome(kind, f"{_DOING[stage]} ended over another file", str(kind))


def gpu_gave_up(code: int | None, last_words: bytes) -> bool:
    """Whether the system ended a process's work on the GPU: a fault of the machine, not of a file.

    macOS does so to work that holds up the screen or finds no memory; MLX then aborts
    (github.com/ml-explore/mlx/issues/3267, github.com/jundot/omlx/issues/1387).
    """
    return code == -signal.SIGABRT and any(sign in last_words for sign in _GPU_SIGNS)


def to_be_repeated(stage: Stage) -> Outcome:
    """It does not count, and the same stage begins again."""
    message = f"the system ended the {_DOING[stage]}'s work on the GPU"
    return Outcome(FailureKind.NOT_BEGUN, message, "gpu gave up")


def lost(host: str, reason: str) -> Outcome:
    """Another machine did not bring it to an end, whatever the reason: it is repeated here."""
    return Outcome(FailureKind.LOST, f"{host}: {reason}", str(FailureKind.LOST))


def unable_to_start(stage: Stage, code: int | None, log: Path) -> Outcome:
    """The process ended before it had imported what it needs: the installation is broken."""
    message = (
        f"{died(stage, code).message} before it could begin: run `dropscribe doctor`; see {log}"
    )
    return Outcome(FailureKind.ENVIRONMENT, message, "unable to start")


def invalid(stage: Stage, problem: str) -> Outcome:
    """There was a receipt, but the artefact does not stand up."""
    message = f"{_DOING[stage]} reported success, but {problem}"
    return Outcome(FailureKind.CRASHED, message, "invalid result")


def stalled(stage: Stage, seconds: float) -> Outcome:
    message = f"{_DOING[stage]} was stopped after {seconds:g} s without progress"
    return Outcome(FailureKind.TIMED_OUT, message, "stalled")


def overdue(stage: Stage, seconds: float) -> Outcome:
    message = f"{_DOING[stage]} was stopped: it took longer than {seconds:.0f} s"
    return Outcome(FailureKind.TIMED_OUT, message, "overdue")


def too_large(stage: Stage, used: int, limit: int) -> Outcome:
    message = f"{_DOING[stage]} was stopped at {_mb(used)} of memory (limit {_mb(limit)})"
    return Outcome(FailureKind.MEMORY, message, "memory limit")


def flooded(stage: Stage) -> Outcome:
    message = f"{_DOING[stage]} was stopped: it flooded its output with noise"
    return Outcome(FailureKind.CRASHED, message, "flooded")


def defect(stage: Stage, error: Exception) -> Outcome:
    """Our own code failed."""
    doing = _DOING.get(stage, str(stage))
    message = f"{doing} met a defect of dropscribe ({type(error).__name__}); see the log"
    return Outcome(FailureKind.CRASHED, message, "defect")


def interrupted(stage: Stage, times: int) -> Outcome:
    message = (
        f"the daemon itself was killed {times} times during this file's {_DOING[stage]};"
        " retry it when the cause is found"
    )
    return Outcome(FailureKind.INTERRUPTED, message, "interrupted")


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
