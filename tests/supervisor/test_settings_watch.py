"""What a changed configuration lets the log say."""

from __future__ import annotations

from pathlib import Path

from daemon.supervisor.settings_watch import differences
from tests.kit.daemon_process import configured


def test_a_changed_secret_is_told_without_its_value(tmp_path: Path) -> None:
    before = configured(tmp_path, {})
    notify = {"webhook": "https://me:hush@example.org/", "webhook_secret": "hush"}
    after = configured(tmp_path, {"notify": notify, "limits": {"max_attempts": 9}})
    told = differences(before, after)
    assert set(told) == {"notify.webhook", "notify.webhook_secret", "limits.max_attempts"}
    assert told["limits.max_attempts"] == "9"
    assert "hush" not in "".join(told.values())
