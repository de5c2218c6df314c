"""Files that are dropped here are worked on elsewhere, and come out here."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

import psutil

from tests.kit.daemon_process import DEMO, DaemonProcess, Tables, running
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


def lent_to(daemon: DaemonProcess) -> list[str]:
    return [event["host"] for event in daemon.events("lent")]


def test_files_are_worked_on_by_several_machines_and_come_out_here(
    tmp_path: Path, lenders: Lenders
) -> None:
    for name in ("mac2", "mac3"):
        lenders.add(name, {"lend": {"files": 1}})
    gate = tmp_path / "gate"
    daemon = owner(tmp_path, "mac2", "mac3", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 2)
        drop_numbered(daemon, 5)
        daemon.wait_until(lambda: len(daemon.events("lent")) >= 2, "others had done some")
        gate.touch()
        daemon.wait_for_ends(5)
    assert set(lent_to(daemon)) == {"mac2", "mac3"}
    assert len(daemon.events("done")) == 5
    for number in range(5):
        text = (daemon.config.paths.outbox / f"{number}.txt").read_text()
        assert text.strip() == f"this is number {number}"


def test_a_machine_that_dies_over_a_file_or_cannot_do_it_costs_the_file_nothing(
    tmp_path: Path, lenders: Lenders
) -> None:
    lenders.add("mac2", {"lend": {"files": 1}}, transcribe=f"gate:{tmp_path / 'never'}")
    lenders.add("mac3", {"lend": {"files": 1}, "limits": {"max_attempts": 1}}, transcribe="segv")
    gate = tmp_path / "gate"
    daemon = owner(tmp_path, "mac2", "mac3", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 2)
        drop_numbered(daemon, 4)
        daemon.wait_until(lambda: is_at_work(lenders, "mac2"), "one was at work elsewhere")
        lenders.kill("mac2")
        lost = {event["host"]: event["message"] for event in daemon.wait_for("lost", 2)}
        gate.touch()
        daemon.wait_for_ends(4)
    assert len(daemon.events("done")) == 4
    assert "the connection ended" in lost["mac2"]
    assert "SIGSEGV" in lost["mac3"]
    assert not lent_to(daemon)  # and neither was tried elsewhere again
    assert not list(daemon.config.paths.state.glob("jobs/*/lent-*"))


def test_a_machine_with_another_version_is_told_apart_and_left_alone(
    tmp_path: Path, lenders: Lenders
) -> None:
    answer = json.dumps({"refused": "it has dropscribe 9, and the owner has 0.1.0"})
    lenders.starts_with("mac2", ["sh", "-c", f"read hello; echo {shlex.quote(answer)}"])
    lenders.starts_with("mac3", ["echo", "Welcome to mac3!"])
    daemon = owner(tmp_path, "mac2", "mac3")
    with running(daemon):
        daemon.drop(recording("here"), "here.wav")
        daemon.wait_for_ends(1)
        daemon.wait_until(lambda: len(reasons(daemon)) >= 2, "both had answered")
    assert "it has dropscribe 9" in reasons(daemon)["mac2"]
    assert "which is not dropscribe's" in reasons(daemon)["mac3"]
    assert len(daemon.events("done")) == 1


def test_who_comes_back_to_the_machine_has_it_and_the_file_is_done_elsewhere(
    tmp_path: Path, lenders: Lenders
) -> None:
    idle, gate = tmp_path / "idle", tmp_path / "gate"
    idle.write_text("600")
    fair = {"lend": {"files": 1, "idle_minutes": 5.0}}
    lenders.add("mac2", fair, idle=idle, transcribe=f"gate:{tmp_path / 'never'}")
    daemon = owner(tmp_path, "mac2", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 1)
        drop_numbered(daemon, 3)
        daemon.wait_until(lambda: is_at_work(lenders, "mac2"), "it was at work")
        there, began = lenders.processes("mac2"), time.monotonic()
        idle.write_text("0")
        daemon.wait_until(lambda: "somebody works at it" in reasons(daemon).values(), "it left")
        daemon.wait_until(lambda: not any(alive(p) for p in there if p.pid), "its stages ended")
        print(f"gone {time.monotonic() - began:.1f} s after somebody came")
        assert "mac2: somebody works at it" in daemon.call("cluster", "status").stdout
        gate.touch()
        daemon.wait_for_ends(3)
    assert len(daemon.events("done")) == 3
    assert not daemon.events("lost")  # it is no interruption


def test_what_a_machine_could_not_align_is_aligned_here(tmp_path: Path, lenders: Lenders) -> None:
    lenders.add("mac2", {"lend": {"files": 1}}, align="without_aligner")
    gate = tmp_path / "gate"
    daemon = owner(tmp_path, "mac2", transcribe=f"gate:{gate}")
    with running(daemon):
        wait_for_hosts(daemon, 1)
        drop_numbered(daemon, 3)
        [lent] = daemon.wait_for("lent")
        gate.touch()
        daemon.wait_for_ends(3)
    assert "it had no aligner for it: aligned here" in lent["message"]
    words = [w for n in range(3) for s in daemon.document(str(n))["segments"] for w in s["words"]]
    assert {word["source"] for word in words} == {"aligned"}
    kept = sorted(daemon.config.paths.state.glob("jobs/*/segments.jsonl"))
    assert len(kept) == 3  # a file that was lent can be aligned anew like any other


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


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
