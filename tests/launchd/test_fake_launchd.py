"""Is the fake launchd as strict as the real one? What the manual says, asked of the fake."""

from __future__ import annotations

import os
import plistlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.fakes.launchd_session import FAKES, Session, eventually, fake_mac

LABEL = "local.test"
DAEMON = str(FAKES / "launchd_daemon.py")


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    with fake_mac(monkeypatch, scale=0.05) as session:
        yield session


def plist(mac: Session, mode: str, **keys: object) -> Path:
    path = mac.folder / f"{LABEL}.plist"
    program = [sys.executable, DAEMON, str(mac.folder / "signs"), mode]
    path.write_bytes(plistlib.dumps({"Label": LABEL, "ProgramArguments": program, **keys}))
    return path


def load(mac: Session, mode: str, **keys: object) -> int:
    return mac.ctl(LABEL).bootstrap(plist(mac, mode, **keys)).code


def code(mac: Session, *arguments: str) -> int:
    return mac.ask(["launchctl", *arguments], 5).code


def has_signed(mac: Session) -> bool:
    return (mac.folder / "signs").exists()


@pytest.mark.parametrize(
    ("keep", "mode", "returns"),
    [
        (True, "quit", True),
        (False, "quit", False),
        ({"SuccessfulExit": False}, "quit", False),
        ({"SuccessfulExit": False}, "crash", True),
        ({"SuccessfulExit": True}, "quit", True),
        ({"Crashed": True}, "crash", False),  # an exit with 1 is no crash
        ({"Crashed": True, "SuccessfulExit": False}, "crash", True),  # conditions are ORed
    ],
)
def test_keep_alive_decides_who_is_brought_back(
    keep: object, mode: str, returns: bool, mac: Session
) -> None:
    load(mac, mode, KeepAlive=keep, RunAtLoad=True, ThrottleInterval=1)
    eventually(lambda: mac.events("exited"))
    if returns:
        eventually(lambda: len(mac.events("started")) > 1)
    else:
        time.sleep(0.3)
        assert len(mac.events("started")) == 1


def test_a_kill_is_no_crash_for_keep_alive(mac: Session) -> None:
    load(mac, "polite", KeepAlive={"Crashed": True}, RunAtLoad=True, ThrottleInterval=1)
    eventually(lambda: has_signed(mac))
    os.kill(mac.pid() or 0, 9)
    eventually(lambda: mac.events("exited"))
    time.sleep(0.3)
    assert len(mac.events("started")) == 1


def test_the_throttle_counts_from_the_last_start(mac: Session) -> None:
    load(mac, "polite", KeepAlive=True, ThrottleInterval=40)  # 2 s here
    eventually(lambda: has_signed(mac))
    time.sleep(2)
    os.kill(mac.pid() or 0, 9)
    eventually(lambda: len(mac.events("started")) == 2)
    ended, again = mac.events("exited")[0]["at"], mac.events("started")[1]["at"]
    assert again - ended < 40 * mac.scale


@pytest.mark.parametrize(
    ("kind", "nice"), [("Interactive", 0), ("Adaptive", 0), ("Standard", 5), ("Background", 10)]
)
def test_the_process_type_decides_the_priority(kind: str, nice: int, mac: Session) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    load(mac, "polite", RunAtLoad=True, ProcessType=kind)
    eventually(lambda: has_signed(mac))
    assert os.getpriority(os.PRIO_PROCESS, mac.pid() or 0) == min(ours + nice, 19)


def test_a_job_without_a_reason_to_run_waits_for_kickstart(mac: Session) -> None:
    load(mac, "polite")
    time.sleep(0.1)
    assert mac.pid() is None
    assert code(mac, "kickstart", f"gui/501/{LABEL}") == 0
    assert mac.pid() is not None


def test_kickstart_k_is_a_kill(mac: Session) -> None:
    load(mac, "polite", KeepAlive=True)
    eventually(lambda: has_signed(mac))
    assert code(mac, "kickstart", "-k", f"gui/501/{LABEL}") == 0
    assert [ended["status"] for ended in mac.events("exited")] == [-9]


def test_leaving_takes_until_the_process_is_gone_and_then_five_seconds_more(mac: Session) -> None:
    file = plist(mac, "stubborn", KeepAlive=True)
    mac.ctl(LABEL).bootstrap(file)
    eventually(lambda: has_signed(mac))
    target = f"gui/501/{LABEL}"
    assert code(mac, "bootout", target) == 0
    assert code(mac, "print", target) == 0
    assert code(mac, "bootout", target) == 36
    assert code(mac, "kickstart", target) == 37
    assert code(mac, "bootstrap", "gui/501", str(file)) == 5
    eventually(lambda: code(mac, "print", target) == 113)
    assert code(mac, "bootstrap", "gui/501", str(file)) == 5
    assert code(mac, "kickstart", target) == 113
    assert code(mac, "bootout", target) == 3
    eventually(lambda: code(mac, "bootstrap", "gui/501", str(file)) == 0)


def test_exit_timeout_is_five_seconds_unless_the_plist_says_more(mac: Session) -> None:
    load(mac, "stubborn", RunAtLoad=True)
    eventually(lambda: has_signed(mac))
    asked = time.monotonic()
    code(mac, "bootout", f"gui/501/{LABEL}")
    eventually(lambda: mac.events("exited"))
    assert mac.events("exited")[0]["at"] - asked >= 5 * mac.scale


def test_a_disabled_label_cannot_be_loaded_until_it_is_enabled(mac: Session) -> None:
    target = f"gui/501/{LABEL}"
    code(mac, "disable", target)
    assert load(mac, "polite") == 5
    code(mac, "enable", target)
    assert load(mac, "polite") == 0


@pytest.mark.parametrize("domain", ["gui/502", "user/501", "system"])
def test_other_domains_do_not_support_this(domain: str, mac: Session) -> None:
    assert code(mac, "bootstrap", domain, str(plist(mac, "polite"))) == 125
    assert code(mac, "print", f"{domain}/{LABEL}") == 125


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ThrottleInterval": "10"}, 5),
        ({"LimitLoadToSessionType": "Background"}, 134),
        ({"ProgramArguments": []}, 111),
        ({"Label": 5}, 110),
    ],
)
def test_a_plist_that_launchd_would_not_take_is_refused(
    change: dict[str, object], expected: int, mac: Session
) -> None:
    assert load(mac, "polite", **change) == expected


def test_a_plist_that_is_missing_writable_or_no_plist_is_refused(mac: Session) -> None:
    file = plist(mac, "polite")
    file.chmod(0o664)
    assert mac.ctl(LABEL).bootstrap(file).code == 122
    file.chmod(0o644)
    file.write_text("<plist>")
    assert mac.ctl(LABEL).bootstrap(file).code == 109
    file.unlink()
    assert mac.ctl(LABEL).bootstrap(file).code == 5


@pytest.mark.parametrize("key", ["WorkingDirectory", "StandardOutPath", "StandardErrorPath"])
def test_a_folder_that_is_not_there_is_status_78_and_no_line_is_run(key: str, mac: Session) -> None:
    assert load(mac, "polite", RunAtLoad=True, **{key: "/nowhere/at/all"}) == 0
    eventually(lambda: mac.events("refused"))
    assert mac.events("refused")[0]["status"] == 78
    assert mac.events("started") == []
