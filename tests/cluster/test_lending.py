"""Files that are dropped here are worked on elsewhere, and come out here."""

from __future__ import annotations

import datetime
import json
import shlex
import subprocess
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from daemon import __version__
from daemon.cluster import wire
from daemon.config.profile import shared_settings
from tests.kit.daemon_process import DEMO, DaemonProcess, Tables, has_ended, running
from tests.kit.fake_recording import recording
from tests.kit.lenders import Lenders


def owner(tmp_path: Path, *hosts: str, **behaviour: str) -> DaemonProcess:
    tables: Tables = {**DEMO, "cluster": {"hosts": list(hosts)}}
    return DaemonProcess.faked(tmp_path / "owner", tables, **behaviour)


def wait_for_hosts(daemon: DaemonProcess, count: int) -> None:
    daemon.wait_until(
        lambda: len([e for e in daemon.events("host") if e["state"] == "ready"]) >= count,
        f"{count} machines were there",
    )


def drop_numbered(daemon: DaemonProcess, count: int) -> None:
    for number in range(count):
        daemon.drop(recording(f"this is number {number}"), f"{number}.wav")


def lent(daemon: DaemonProcess) -> dict[str, str]:
    """What was said last of a file that came back, by machine."""
    return {event["host"]: event["message"] for event in daemon.events("lent")}


def test_files_are_worked_on_by_several_machines_and_come_out_here(
    tmp_path: Path, lenders: Lenders
) -> None:
    """One of them has no aligner for the language: that file is aligned here."""
    lenders.add("mac2", {"lend": {"files": 1}})
    lenders.add("mac3", {"lend": {"files": 1}}, align="without_aligner")
    gate = tmp_path / "gate"
    daemon = owner(tmp_path, "mac2", "mac3", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 2)
        drop_numbered(daemon, 5)
        daemon.wait_until(lambda: set(lent(daemon)) == {"mac2", "mac3"}, "both had done some")
        gate.touch()
        daemon.wait_for_ends(5)
    assert "aligned here" not in lent(daemon)["mac2"]
    assert "it had no aligner for it: aligned here" in lent(daemon)["mac3"]
    assert len(daemon.events("done")) == 5
    for number in range(5):
        segments = daemon.document(str(number))["segments"]
        assert " ".join(s["text"].strip() for s in segments) == f"this is number {number}"
        assert {w["source"] for s in segments for w in s["words"]} == {"aligned"}
    kept = sorted(daemon.config.paths.state.glob("jobs/*/segments.jsonl"))
    assert len(kept) == 5  # a file that was lent can be aligned anew like any other


def test_a_machine_that_dies_over_a_file_cannot_do_it_or_is_none_of_ours_costs_the_file_nothing(
    tmp_path: Path, lenders: Lenders
) -> None:
    lenders.add("mac2", {"lend": {"files": 1}}, transcribe=f"gate:{tmp_path / 'never'}")
    lenders.add("mac3", {"lend": {"files": 1}, "limits": {"max_attempts": 1}}, transcribe="segv")
    answer = json.dumps({"refused": "it has dropscribe 9, and the owner has 0.1.0"})
    lenders.starts_with("mac4", ["sh", "-c", f"read hello; echo {shlex.quote(answer)}"])
    lenders.starts_with("mac5", ["echo", "Welcome to mac5!"])
    gate = tmp_path / "gate"
    daemon = owner(tmp_path, "mac2", "mac3", "mac4", "mac5", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 2)
        drop_numbered(daemon, 4)
        daemon.wait_until(lambda: is_at_work(lenders, "mac2"), "one was at work elsewhere")
        lenders.kill("mac2")
        lost = {event["host"]: event["message"] for event in daemon.wait_for("lost", 2)}
        gate.touch()
        daemon.wait_for_ends(4)
        daemon.wait_until(lambda: {"mac4", "mac5"} <= set(reasons(daemon)), "both had answered")
    assert len(daemon.events("done")) == 4
    assert "the connection ended" in lost["mac2"]
    assert "SIGSEGV" in lost["mac3"]
    assert not lent(daemon)  # and neither was tried elsewhere again
    assert not list(daemon.config.paths.state.glob("jobs/*/lent-*"))
    assert "it has dropscribe 9" in reasons(daemon)["mac4"]
    assert "which is not dropscribe's" in reasons(daemon)["mac5"]


def test_who_wants_a_machine_back_has_it_and_its_file_is_done_elsewhere(
    tmp_path: Path, lenders: Lenders
) -> None:
    """Somebody comes back to it; it is unplugged; its hours are over."""
    idle, battery, offset = (tmp_path / name for name in ("idle", "battery", "offset"))
    idle.write_text("600")
    now = datetime.datetime.now().astimezone()
    hours = "-".join(f"{now + datetime.timedelta(hours=h):%H:%M}" for h in (-6, 6))
    never = f"gate:{tmp_path / 'never'}"
    for name, wishes, option in (
        ("mac2", {"idle_minutes": 5.0}, ("--idle", idle)),
        ("mac3", {"on_battery": False}, ("--battery", battery)),
        ("mac4", {"hours": hours}, ("--wall-offset", offset)),
    ):
        lenders.add(name, {"lend": {"files": 1, **wishes}}, option, transcribe=never)
    names, gate = ("mac2", "mac3", "mac4"), tmp_path / "gate"
    daemon = owner(tmp_path, *names, transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 3)
        drop_numbered(daemon, 5)
        daemon.wait_until(lambda: all(is_at_work(lenders, n) for n in names), "all were at work")
        there = [process for name in names for process in lenders.processes(name)]
        began = time.monotonic()
        idle.write_text("0")
        battery.touch()
        offset.write_text("43200")
        daemon.wait_until(lambda: set(names) <= set(reasons(daemon)), "they left")
        daemon.wait_until(lambda: all(map(has_ended, there)), "their stages ended")
        print(f"all three were gone after {time.monotonic() - began:.1f} s")
        daemon.wait_until(
            lambda: "mac2: somebody works at it" in daemon.call("cluster", "status").stdout,
            "people were told",
        )
        idle.write_text("600")
        wait_for_hosts(daemon, 4)
        gate.touch()
        daemon.wait_for_ends(5)
    assert reasons(daemon) == {
        "mac2": "somebody works at it",
        "mac3": "it runs on battery",
        "mac4": f"it is lent at {hours} only",
    }
    assert len(daemon.events("done")) == 5
    assert [e["message"] for e in daemon.events("lost")] == []  # it is no interruption


@pytest.mark.parametrize("known", [True, False])
def test_a_machine_that_leaves_ends_without_an_error(
    tmp_path: Path, lenders: Lenders, known: bool
) -> None:
    """An owner would be told its last line; on a Mac each abort leaves a crash report.

    It leaves, too, where it cannot be found out whether somebody works at it.
    """
    idle = tmp_path / "idle"
    idle.write_text("600")
    lenders.add("mac2", {"lend": {"idle_minutes": 5.0}}, ("--idle", idle))
    settings = shared_settings(owner(tmp_path, "mac2").config)
    hello = {"hello": wire.PROTOCOL, "version": __version__, "settings": settings}
    connect = ["sh", str(lenders.root / "mac2" / "connect")]
    with subprocess.Popen(connect, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(wire.encode(hello))
        process.stdin.flush()
        frames = wire.frames(process.stdout)
        assert "places" in next(frames)[0]
        if known:
            idle.write_text("0")
        else:
            idle.unlink()
        (leaving,) = [head["leaving"] for head, _ in frames if "leaving" in head]
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (0, "")
    assert ("somebody works at it" if known else "cannot be told") in leaving


def is_at_work(lenders: Lenders, name: str) -> bool:
    """Whether that machine's transcriber has begun a file."""
    return bool(
        list((lenders.root / name / "state").glob("lent/session/state/jobs/*/prepared.json"))
    )


def reasons(daemon: DaemonProcess) -> dict[str, str]:
    return {
        event["host"]: event["reason"]
        for event in daemon.events("host")
        if event["reason"] and "not answered yet" not in event["reason"]
    }
