"""What the log is for: a segment that kills the aligner costs its own words, and no others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from daemon.domain.transcript import Word, WordSource
from daemon.handoff import alignment_log
from daemon.handoff.alignment_log import AlignedLog, AlignmentHistory
from tests.kit.daemon_process import DaemonProcess, running

WORDS = (Word("one", 0.0, 0.5, 0.9, WordSource.ALIGNED),)


def _tried(folder: Path, *children: list[list[int] | int]) -> AlignmentHistory:
    """What is known after `children`: a list begins segments together, a number finishes one."""
    with (folder / alignment_log.NAME).open("w") as file:
        for child in children:
            log = AlignedLog(file, "nonce")
            for act in child:
                if isinstance(act, list):
                    log.begin(act)
                else:
                    log.finish(act, WORDS, "")
    return alignment_log.read(folder)


def test_before_the_first_child_nothing_is_known(tmp_path: Path) -> None:
    assert alignment_log.read(tmp_path) == AlignmentHistory()


def test_what_was_begun_together_is_suspected_and_what_was_begun_alone_is_guilty(
    tmp_path: Path,
) -> None:
    tried = _tried(tmp_path, [[1, 2], 1, 2, [3, 4, 5], 3], [[4], 4, [5]])
    assert set(tried.finished) == {1, 2, 3, 4}
    assert tried.crashing == {5}
    assert tried.suspects == set()
    assert tried.words[3] == WORDS


def test_a_line_that_a_dying_child_left_half_written_is_no_line(tmp_path: Path) -> None:
    _tried(tmp_path, [[1, 2], 1])
    path = tmp_path / alignment_log.NAME
    path.write_bytes(path.read_bytes() + b'{"id": 2, "wor')
    assert alignment_log.read(tmp_path).suspects == {2}


def test_a_child_that_brings_the_job_further_costs_no_attempt(tmp_path: Path) -> None:
    assert _tried(tmp_path, [[1, 2]], [[1]]).allowed(2) == 3
    assert _tried(tmp_path, [[1, 2], 1, 2, [3]], [[4], 4]).allowed(2) == 4


def test_an_aligner_that_dies_of_everything_is_given_up(tmp_path: Path) -> None:
    assert _tried(tmp_path, *([[number]] for number in range(4))).allowed(2) == 2


@pytest.mark.timeout(1600)
@pytest.mark.parametrize("files", [3, pytest.param(200, marks=pytest.mark.slow)])
def test_every_segment_but_the_killers_has_its_words(files: int, tmp_path: Path) -> None:
    """Children that segfault on random segments, in real jobs: all complete, each says which."""
    chance = random.Random(files)
    daemon = DaemonProcess.faked(tmp_path / "d", align="fragile_align.py")
    deadly: dict[str, list[int]] = {}
    for number in range(files):
        guilty = sorted(chance.sample(range(12), number % 3))
        lines = ["segfault" if at in guilty else f"file {number} line {at}" for at in range(12)]
        daemon.drop("\n".join(lines).encode(), f"{number}.wav")
        deadly[str(number)] = guilty
    with running(daemon):
        daemon.wait_for_ends(files, seconds=1500)
    assert daemon.delivered() == sorted(deadly)
    for stem, guilty in deadly.items():
        document = daemon.document(stem)
        silent = [one["id"] for one in document["segments"] if not one["words"]]
        assert silent == guilty
        assert document["alignment"]["status"] == ("partial" if guilty else "complete")
        for killer in guilty:
            assert f"{killer} (it crashes the aligner)" in document["alignment"]["reason"]
