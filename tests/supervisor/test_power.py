"""The Mac stays awake while there is work. `sleep` stands in for caffeinate, which is a Mac's."""

from __future__ import annotations

import os
import sys

import psutil
import pytest

from daemon.supervisor.power import SleepInhibitor, on_battery, stay_awake_command

STAND_IN = ("sleep", "60")


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.name() == "sleep"]


def test_one_process_holds_it_awake_however_often_we_ask_and_none_when_idle() -> None:
    sleep_inhibitor = SleepInhibitor(STAND_IN)
    sleep_inhibitor.hold(True)
    sleep_inhibitor.hold(True)
    assert len(children()) == 1
    sleep_inhibitor.hold(False)
    sleep_inhibitor.hold(False)
    assert children() == []


def test_a_holder_that_somebody_ended_is_replaced() -> None:
    sleep_inhibitor = SleepInhibitor(STAND_IN)
    sleep_inhibitor.hold(True)
    (first,) = children()
    first.kill()
    while first.status() != psutil.STATUS_ZOMBIE:
        pass
    sleep_inhibitor.hold(True)
    (second,) = children()
    assert second.pid != first.pid
    sleep_inhibitor.hold(False)


def test_where_there_is_nothing_to_run_nothing_is_run() -> None:
    sleep_inhibitor = SleepInhibitor(())
    sleep_inhibitor.hold(True)
    assert children() == []


def test_a_command_that_cannot_be_started_fails_nothing() -> None:
    sleep_inhibitor = SleepInhibitor(("/nowhere/caffeinate",))
    sleep_inhibitor.hold(True)
    sleep_inhibitor.hold(True)
    sleep_inhibitor.hold(False)


def test_the_assertion_ends_with_the_daemon_even_if_that_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert stay_awake_command() == ("/usr/bin/caffeinate", "-i", "-w", str(os.getpid()))


def test_other_systems_are_left_to_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert stay_awake_command() == ()


@pytest.mark.parametrize(
    ("plugged", "expected"), [(True, False), (False, True), (None, False)], ids=str
)
def test_only_a_battery_that_is_in_use_counts(
    plugged: bool | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    battery = type("Battery", (), {"power_plugged": plugged})
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert on_battery() is expected


def test_a_machine_without_a_battery_is_on_mains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)
    assert not on_battery()
