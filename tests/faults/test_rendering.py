"""Rows R1 to R4: the process that renders the results dies, hangs, lies, or takes very long."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from daemon.domain.job import Stage
from daemon.domain.transcript import Alignment, AlignmentStatus, Segment, Word, WordSource
from daemon.handoff import artefacts
from daemon.ledger.ledger import Ledger
from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fault_daemon import FaultDaemon


@pytest.mark.parametrize(
    "how", ["segv 1", "leave 1", "no_result 1", "broken_result 1", "truncated_result 1"]
)
def test_a_renderer_that_fails_once_is_started_again_r1(daemon: FaultDaemon, how: str) -> None:
    daemon.give("a.wav", "rendered in the end", f"publish {how}")
    daemon.give("z.wav", "an innocent")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["a", "z"]
    assert daemon.timing("a")["stages"]["publish"]["attempts"] == 2
    assert daemon.timing("a")["stages"]["transcribe"]["attempts"] == 1


def test_a_renderer_that_always_fails_costs_its_file_only_r2(daemon: FaultDaemon) -> None:
    daemon.give("a-dead.wav", "never rendered", "publish segv")
    daemon.give("z.wav", "an innocent")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["z"]
    assert "crashed with a memory error" in daemon.error("a-dead.wav")["reason"]


def test_a_stop_does_not_wait_for_a_renderer_r3(make: MakeDaemon, tmp_path: Path) -> None:
    """And it costs the file nothing: the next daemon delivers it."""
    daemon = make()
    daemon.give("a.wav", "rendered later", f"publish gate:{tmp_path / 'never'}")
    process = daemon.start()
    wait_until(lambda: "publish" in daemon.working_on(), "it was rendered")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    (tmp_path / "never").touch()
    assert daemon.drained().violations() == []
    assert daemon.timing("a")["stages"]["publish"]["attempts"] == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stop_is_answered_while_a_day_of_speech_is_rendered_and_delivered_r4(
    daemon: FaultDaemon,
) -> None:
    """Prints how long each stop took, and how large the daemon became."""
    daemon.give("day.wav", "a day", "align gate:/nowhere")
    process = daemon.start()
    daemon.wait_for("transcribed")
    folder = daemon.config.paths.state / "jobs" / "1"
    process.kill()
    process.wait()
    words = _write_a_day_of_speech(folder)
    with closing(Ledger(daemon.config.paths.state / "ledger.db")) as ledger:
        ledger.move(1, Stage.PUBLISH)
    daemon.processes.clear()
    stops, sizes = [], []
    for moment in ("being rendered", "delivered"):
        process = daemon.start()
        if moment == "delivered":
            wait_until((folder / artefacts.OUTPUT_SET).exists, "it was rendered", 400)
        else:
            wait_until((folder / artefacts.PARTIAL_OUTPUTS).exists, "it was being rendered")
        sizes.append(psutil.Process(process.pid).memory_info().rss)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        stops.append(time.monotonic() - begun)
        daemon.processes.clear()
    assert daemon.drained().document("day")["segments"][-1]["words"][-1]["word"] == "word"
    assert len(daemon.document("day")["word_segments"]) == words
    print(f"\nstops took {stops[0]:.2f} and {stops[1]:.2f} s; at most {max(sizes) / 1e6:.0f} MB")


def _write_a_day_of_speech(folder: Path) -> int:
    """A segment of twelve words every five seconds; returns the number of words."""
    segments, words = [], {}
    for number in range(17_280):
        start = number * 5.0
        text = " ".join(["word"] * 12)
        segments.append(Segment(number, start, start + 4.8, text, -0.1, 0.0))
        words[number] = tuple(
            Word("word", start + at * 0.4, start + at * 0.4 + 0.3, 0.9, WordSource.ALIGNED)
            for at in range(12)
        )
    prepared = replace(artefacts.read_prepared(folder), duration=86_400.0)
    heard = replace(artefacts.read_recognition(folder), segments=tuple(segments))
    aligned = Alignment(AlignmentStatus.COMPLETE, "", "fake", words)
    artefacts.write_artefact(folder / artefacts.PREPARED, "", prepared)
    artefacts.write_artefact(folder / artefacts.TRANSCRIPT, "", heard)
    artefacts.write_artefact(folder / artefacts.ALIGNMENT, "", aligned)
    return 12 * len(segments)
