"""Staying awake for as long as there is work, and knowing whether it eats the battery."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Sequence

import psutil


def stay_awake_command() -> Sequence[str]:
    """caffeinate(8) against idle sleep until this process ends, however it ends; nothing elsewhere.

    A closed lid or a chosen "Sleep" still puts the Mac to sleep; the job then goes on at wake.
    """
    if sys.platform != "darwin":
        return ()
    return ("/usr/bin/caffeinate", "-i", "-w", str(os.getpid()))


def in_hours(hours: str, unix_time: float) -> bool:
    """Whether the local time lies in "22:00-07:00", which may pass midnight."""
    begin, _, end = hours.partition("-")
    now = datetime.datetime.fromtimestamp(unix_time).astimezone().strftime("%H:%M")
    return begin <= now < end if begin <= end else now >= begin or now < end


class SleepInhibitor:
    """Keeps the machine from idle sleep while, and only while, `hold(True)` was the last word."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self, busy: bool) -> None:
        """Call as often as you like. Without the command the machine sleeps as it pleases."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None  # somebody ended it
        if busy and self._process is None and self._command:
            self._start()
        elif not busy and self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self._command = ()  # a job is worth more than wakefulness


def on_battery() -> bool:
    """Whether a battery feeds this machine right now; False where there is none."""
    battery = psutil.sensors_battery()
    return battery is not None and battery.power_plugged is False
