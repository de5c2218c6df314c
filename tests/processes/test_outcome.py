"""How a process ended, in a sentence that a person understands."""

from __future__ import annotations

import signal

import pytest

from daemon.domain.job import FailureKind, Stage
from daemon.processes import outcome
from daemon.processes.outcome import Outcome


@pytest.mark.parametrize(
    ("found", "message", "exit_"),
    [
        (
            outcome.died(Stage.ALIGN, -signal.SIGSEGV),
            "alignment crashed with a memory error (SIGSEGV)",
            "signal 11",
        ),
        (
            outcome.died(Stage.TRANSCRIBE, -signal.SIGKILL),
            "transcription was killed (SIGKILL), most likely because the system ran out of memory",
            "signal 9",
        ),
        (outcome.died(Stage.PREPARE, -50), "decoding was ended by signal 50", "signal 50"),
        (outcome.died(Stage.ALIGN, 0), "alignment ended without a result", "exit 0"),
        (outcome.died(Stage.ALIGN, 3), "alignment ended with exit code 3", "exit 3"),
        (outcome.died(Stage.ALIGN, None), "alignment hangs in the system", "stuck"),
        (
            outcome.invalid(Stage.ALIGN, "it wrote no alignment.json"),
            "alignment reported success, but it wrote no alignment.json",
            "invalid result",
        ),
        (
            outcome.stalled(Stage.ALIGN, 180.0),
            "alignment was stopped after 180 s without progress",
            "stalled",
        ),
        (
            outcome.overdue(Stage.TRANSCRIBE, 1234.5),
            "transcription was stopped: it took longer than 1234 s",
            "overdue",
        ),
        (
            outcome.too_large(Stage.ALIGN, 7_000_000_000, 6_144_000_000),
            "alignment was stopped at 7000 MB of memory (limit 6144 MB)",
            "memory limit",
        ),
        (
            outcome.flooded(Stage.ALIGN),
            "alignment was stopped: it flooded its output with noise",
            "flooded",
        ),
    ],
)
def test_a_person_understands_how_it_ended(found: Outcome, message: str, exit_: str) -> None:
    assert (found.message, found.exit) == (message, exit_)
    assert found.kind in {FailureKind.CRASHED, FailureKind.TIMED_OUT, FailureKind.MEMORY}


def test_success_needs_no_words() -> None:
    assert outcome.succeeded() == Outcome(None, "", "ok")


def test_a_gpu_that_gave_up_is_known_by_its_signal_and_its_last_words() -> None:
    said = (
        b"libc++abi: terminating due to uncaught exception of type std::runtime_error: [METAL]"
        b" Command buffer execution failed: Impacting Interactivity (0000000e:"
        b"kIOGPUCommandBufferCallbackErrorImpactingInteractivity)\n"
    )
    assert outcome.gpu_gave_up(-6, said)
    assert not outcome.gpu_gave_up(-6, b"an assertion failed")
    assert not outcome.gpu_gave_up(1, said)
