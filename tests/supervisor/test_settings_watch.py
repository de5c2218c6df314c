"""When a changed configuration is taken up, and what it lets the log say."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from daemon.config import file as config_file
from daemon.reporting.event_log import EventLog
from daemon.supervisor.settings_watch import ConfigFileWatch, differences
from tests.kit.daemon_process import configured


def test_a_file_that_an_editor_is_writing_is_not_taken_up(tmp_path: Path) -> None:
    """What is missing would be as by default: recordings that are to be kept would be moved."""
    path, used = tmp_path / "config.toml", []
    config = configured(tmp_path, {"output": {"source": "keep"}})
    config_file.save(config, path)
    written = path.read_text().replace('"keep"', '"delete"')
    context: Any = SimpleNamespace(
        config=config,
        event_log=EventLog(),
        use=lambda config, _: used.append(config.output.source),
        pause=SimpleNamespace(retry_now=lambda: None),
    )
    watch = ConfigFileWatch(path, config_file.load, context, lambda _: {})
    assert watch.due() == math.inf
    for now, change in (
        (10.0, path.unlink),
        (10.5, path.touch),
        (11.0, lambda: path.write_text(written[:100])),
        (11.9, lambda: None),
    ):
        change()
        watch.take_up(now)
        assert used == []
    path.write_text(written)
    watch.take_up(11.95)
    assert used == ["delete"]
    path.write_text("[output]\nsource = 'keep'")
    watch.take_up(12.0)
    assert used == ["delete"]
    watch.take_up(watch.due())
    assert used == ["delete", "keep"]


def test_a_changed_secret_is_told_without_its_value(tmp_path: Path) -> None:
    before = configured(tmp_path, {})
    notify = {"webhook": "https://me:hush@example.org/", "webhook_secret": "hush"}
    after = configured(tmp_path, {"notify": notify, "limits": {"max_attempts": 9}})
    told = differences(before, after)
    assert set(told) == {"notify.webhook", "notify.webhook_secret", "limits.max_attempts"}
    assert told["limits.max_attempts"] == "9"
    assert "hush" not in "".join(told.values())
