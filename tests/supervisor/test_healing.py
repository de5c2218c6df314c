"""What has grown in failed/ goes back to the inbox; what cannot be moved now stops nobody."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import cast

import pytest

from daemon.reporting.event_log import EventLog
from daemon.supervisor import healing
from daemon.supervisor.context import Context
from daemon.supervisor.healing import Healing
from tests.kit.queue_on_disk import QueueOnDisk


def test_what_cannot_be_moved_stays_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, clock = QueueOnDisk(tmp_path / "q"), [100.0]
    queue.failed("talk.wav")
    inbox, failed = queue.config.paths.inbox, queue.config.paths.failed
    with (failed / "talk.wav").open("ab") as file:
        file.write(b" and the rest")
    with queue.ledger() as ledger:
        context = SimpleNamespace(
            config=queue.config,
            ledger=ledger,
            event_log=EventLog(),
            clock=lambda: clock[0],
            unix_time=lambda: 1_020.0,
            publisher=SimpleNamespace(inside=lambda job: PurePosixPath()),
        )
        looks = Healing(cast(Context, context))

        def refused(*_: object) -> None:
            raise PermissionError(1, "locked")

        with monkeypatch.context() as patch:
            patch.setattr(healing, "rename_without_clobbering", refused)
            looks.look()
        assert (failed / "talk.wav").exists()
        assert (failed / "talk.wav.error.json").exists()
        clock[0] += queue.config.watch.rescan_seconds
        looks.look()
    assert (inbox / "talk.wav").read_bytes() == b"sound and the rest"
    assert list(failed.iterdir()) == []
