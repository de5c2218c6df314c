"""Rows S1 to S20: what somebody who can write into the inbox may try."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.models import checksums
from tests.faults.conftest import MakeDaemon
from tests.kit import fault_recordings as recordings
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.invariant import SUFFIXES
from tests.kit.tracing import needs_strace

REPOSITORY = Path(__file__).parents[2]
_HOSTILE = {
    "new line": b"one\ntwo 2026-01-01 ERROR forged.wav",
    "escape sequence": b"\x1b[2J\x1b]0;owned\x07.wav",
    "carriage return": b"nice\rforged.wav",
    "right to left": "gpj\u202e.exe.wav".encode(),
    "invalid utf-8": b"\xff\xfe\x80.wav",
    "quotes": b'\'"; touch owned; ".wav',
    "dashes": b"--model=x.wav",
    "format": b"%s%n{0}{time}<red>.wav",
    "markup": b"<script>alert(1)<.wav",
    "spaces": b"  .wav",
    "dots": b"a..wav",
    "backslash": b"a\\..\\up.wav",
    "emoji": "👩‍👩‍👧 é.wav".encode(),
    "json": b'a.json.wav"}.wav',
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the user's that nobody dropped."""
    path = tmp_path / "id_ed25519.wav"
    path.write_bytes(recording("the user's secret"))
    path.chmod(0o600)
    return path


def _untouched(victim: Path) -> bool:
    return victim.is_file() and victim.read_bytes() == recording("the user's secret")


@pytest.mark.parametrize("kind", ["file", "folder", "nothing", "device"])
def test_a_symbolic_link_is_refused_and_never_followed_s1_s2(
    daemon: FaultDaemon, victim: Path, kind: str
) -> None:
    target = {
        "file": victim,
        "folder": victim.parent,
        "nothing": victim.with_name("missing"),
        "device": Path("/dev/zero"),
    }[kind]
    (daemon.config.paths.inbox / "link.wav").symlink_to(target)
    daemon.give("good.wav", "good")
    daemon.drained()
    assert "symbolic link" in daemon.error("link.wav")["reason"]
    assert (daemon.config.paths.failed / "link.wav").is_symlink()
    assert daemon.delivered() == ["good"]
    assert _untouched(victim)


def test_an_inbox_that_is_itself_a_link_works_s1(daemon: FaultDaemon) -> None:
    inbox = daemon.config.paths.inbox
    inbox.rename(inbox.with_name("elsewhere"))
    inbox.symlink_to(inbox.with_name("elsewhere"))
    daemon.give("good.wav", "good")
    assert daemon.drained().violations() == []


def test_a_file_swapped_for_a_link_after_it_settled_is_not_followed_s3(
    make: MakeDaemon, victim: Path
) -> None:
    """Between the look and the open: PREPARE finds a link where a file was settled."""
    daemon = make({"output": {"source": "keep"}})
    path = daemon.give("swapped.wav", "before", "prepare slow")
    daemon.start()
    daemon.wait_for("queued")
    path.unlink()
    path.symlink_to(victim)
    daemon.wait_for("failed")
    daemon.end()
    assert not daemon.delivered()
    assert _untouched(victim)


def test_a_hard_link_is_read_and_the_other_name_keeps_its_bytes_s4(
    daemon: FaultDaemon, victim: Path
) -> None:
    os.link(victim, daemon.config.paths.inbox / "second-name.wav")
    daemon.drained()
    assert _untouched(victim)


def test_pipes_sockets_and_devices_are_refused_without_being_opened_s5(
    daemon: FaultDaemon,
) -> None:
    inbox = daemon.config.paths.inbox
    os.mkfifo(inbox / "pipe.wav")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.relpath(inbox / "socket.wav"))
    if os.geteuid() == 0:
        os.mknod(inbox / "device.wav", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    daemon.drained()
    listening.close()
    assert "named pipe" in daemon.error("pipe.wav")["reason"]
    assert "socket" in daemon.error("socket.wav")["reason"]
    assert not daemon.inbox_names()


def test_a_hostile_name_stays_a_name_s8_s9(daemon: FaultDaemon) -> None:
    for what, name in _HOSTILE.items():
        daemon.give(name, f"a name with {what}")
        daemon.give(b"bad-" + name, f"a bad one with {what}", "prepare bad_input")
    daemon.drained()
    assert daemon.violations() == []
    outputs = [os.fsencode(path.name) for path in daemon.config.paths.outbox.iterdir()]
    assert len(outputs) == len(SUFFIXES) * len(_HOSTILE)
    assert not any(re.search(rb"[\x00-\x1f\x7f]|\xe2\x80\xae", output) for output in outputs)
    told = daemon.call("status").stdout + daemon.log()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", told)
    assert all(re.match(r"\d{4}-|$", line) for line in daemon.log().splitlines())
    assert json.loads(daemon.call("status", "--json").stdout)["done"] == len(_HOSTILE)
    assert len(daemon.events("queued")) == 2 * len(_HOSTILE)


def test_a_link_planted_in_the_outbox_is_not_written_through_s10(
    daemon: FaultDaemon, victim: Path
) -> None:
    outbox = daemon.config.paths.outbox
    outbox.mkdir()
    for suffix in ("txt", "json"):
        (outbox / f"memo.{suffix}").symlink_to(victim)
    daemon.give("memo.wav", "a memo")
    daemon.drained()
    assert _untouched(victim)
    assert daemon.document("memo (2)")["text"] == "a memo"


def test_everything_we_write_is_its_owners_business_s14_s15_s18(daemon: FaultDaemon) -> None:
    shutil.rmtree(daemon.config.paths.inbox)
    os.umask(0o000)
    try:
        daemon.start()
    finally:
        os.umask(0o022)
    daemon.wait_until(daemon.config.paths.inbox.is_dir, "the inbox was made")
    daemon.give("one.wav", "not in any log")
    daemon.wait_for("done")
    daemon.end()
    ours = [path for path in daemon.root.rglob("*") if path.name not in _OTHERS]
    ours = [path for path in ours if path.parent != daemon.config.paths.done]
    assert [str(path) for path in ours if path.stat().st_mode & 0o077] == []
    for log in (*daemon.config.paths.logs.iterdir(), *daemon.config.paths.state.rglob("*.log")):
        assert b"not in any log" not in log.read_bytes()


_OTHERS = {"config.toml", "console.log", "dropping", "daemon-0"}  # made by the test


def test_weights_that_were_tampered_with_are_not_loaded_s12(tmp_path: Path) -> None:
    folder = tmp_path / "bundled" / "whisper-base"
    shutil.copytree(REPOSITORY / "daemon" / "bundled" / "whisper-base", folder)
    checksums.verify(folder)
    (weights,) = folder.glob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(checksums.TamperedModelError, match="was changed"):
        checksums.verify(folder)


def test_the_hubs_cache_is_held_against_its_own_digests_s12(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / ("0" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"not what its name says")
    snapshot = tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "weights.npz").symlink_to(blob)
    with pytest.raises(checksums.TamperedModelError):
        checksums.verify(snapshot)


def test_a_module_beside_the_recordings_is_not_imported_s13(daemon: FaultDaemon) -> None:
    """Neither the working folder nor PYTHONPATH is where stages find their code."""
    trap = "raise SystemExit('a trap')"
    for folder in (daemon.config.paths.inbox, daemon.root):
        (folder / "json.py").write_text(trap)
        (folder / "sitecustomize.py").write_text(trap)
    daemon.give("one.wav", "one")
    environment = os.environ | {"PYTHONPATH": str(daemon.config.paths.inbox), "SECRET": "x"}
    safe = [sys.executable, "-E", *daemon.command("run", "--once")[1:]]
    ended = subprocess.run(
        safe, cwd=daemon.root, env=environment, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert daemon.violations() == []


def test_what_was_said_is_data_wherever_it_goes_s16(daemon: FaultDaemon) -> None:
    said = "</script><b>--> 00:00:00.000 & \u2028 {\\an8}"
    daemon.give("one.wav", said)
    daemon.drained()
    assert daemon.document("one")["text"] == said.strip()
    vtt = daemon.output("one.vtt").read_text()
    assert "<b>" not in vtt
    assert vtt.count("-->") == 1


def test_extended_attributes_do_not_travel_into_the_outbox_s19(daemon: FaultDaemon) -> None:
    path = daemon.give("one.wav", "one")
    os.setxattr(path, "user.com.apple.quarantine", b"0081")
    daemon.drained()
    for output in daemon.config.paths.outbox.iterdir():
        assert os.listxattr(output) == []


def test_no_shell_is_ever_started_s20() -> None:
    """Every process is started from a list of arguments."""
    for path in (*REPOSITORY.glob("daemon/**/*.py"), *REPOSITORY.glob("launchd/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                raise AssertionError(f"{path} starts a shell")
            if isinstance(node, ast.Attribute):
                assert (ast.unparse(node)) not in {"os.system", "os.popen"}, path


@pytest.mark.computes
@needs_strace
def test_no_stage_of_a_real_job_touches_the_network_s6_s7_s12(make: MakeDaemon) -> None:
    """Every connect(2) of the daemon and its stages, with the demo models, stays here."""
    daemon = make({"limits": {"stall_seconds": 200}, "align": {"stall_seconds": 200}})
    daemon.drop(recordings.MEMO)
    trace = daemon.root / "trace"
    prefix = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=connect,sendto"]
    daemon.run_to_end("--all-real", prefix=prefix, seconds=200)
    assert daemon.delivered() == ["memo-10s"]
    assert not [line for line in trace.read_text().splitlines() if "AF_INET" in line]


def test_a_stage_that_opens_a_connection_is_refused_s7() -> None:
    program = (
        "from daemon.stages.sandbox import refuse_network; refuse_network();"
        "import socket; socket.create_connection(('127.0.0.1', 9))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "a stage does not use the network" in ended.stderr
