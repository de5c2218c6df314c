"""The results of a recording's first part go when the whole recording is delivered."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from daemon.domain.job import Identity, Job, Stage
from daemon.outbox.superseded import withdraw
from daemon.rendering.formats import FORMATS

HALF = Job(1, Path("/in/talk.wav"), Identity(5, 1, 1, 1), Stage.DONE, 1_000.0, stem="talk")


def test_every_format_is_withdrawn_and_nothing_else(tmp_path: Path) -> None:
    for suffix in ("json", "timing.json", *(form.suffix for form in FORMATS.values())):
        (tmp_path / f"talk.{suffix}").touch()
    (tmp_path / "talk (2).txt").touch()
    assert withdraw(replace(HALF, finished_at=time.time() + 60), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["talk (2).txt"]


def test_the_results_of_every_track_are_withdrawn(tmp_path: Path) -> None:
    names = ["talk.json", "talk.track2.json", "talk.track3.txt", "talk.track4.txt"]
    for name in names:
        (tmp_path / name).touch()
    assert withdraw(replace(HALF, finished_at=time.time() + 60), tmp_path, transcripts=3)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.track4.txt"]  # another recording's


def test_nothing_is_withdrawn_where_something_was_changed_since(tmp_path: Path) -> None:
    (tmp_path / "talk.json").touch()
    (tmp_path / "talk.labels.txt").touch()
    assert not withdraw(replace(HALF, finished_at=1_000.0), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
