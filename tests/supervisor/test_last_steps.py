"""What was delivered already while the recording is still being filed away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.domain.job import Identity, Job, Stage
from daemon.files.background import UnderWayError
from daemon.supervisor.last_steps import LastSteps


def test_a_file_is_delivered_once_and_what_takes_its_place_as_well(tmp_path: Path) -> None:
    published: list[Job] = []

    def copying(_: Job) -> None:
        raise UnderWayError

    def deliver(job: Job) -> None:
        nothing: Any = SimpleNamespace()
        with pytest.raises(UnderWayError):
            last_steps.deliver(job, nothing, is_counted=True)

    context: Any = SimpleNamespace(
        publisher=SimpleNamespace(publish=lambda job, _: published.append(job), archive=copying),
        ledger=SimpleNamespace(uncount_start=lambda *_: None),
    )
    held: Any = SimpleNamespace()
    last_steps = LastSteps(context, held)
    source = tmp_path / "talk.wav"
    source.touch()
    read = Job(1, source, Identity(9, 1, 1, 7), Stage.PUBLISH, 1.0)
    renamed, other = Identity(9, 1, 2, 7), Identity(9, 1, 1, 8)
    for identity in (read.identity, read.identity, renamed, other, other):
        deliver(replace(read, identity=identity))
    assert [job.identity for job in published] == [read.identity, other]
