"""Two machines with addresses of their own, each behind a real sshd: network namespaces of Linux.

They need root, iproute2 and OpenSSH's server; run them with -m slow. Each prints what it measured.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from daemon.cluster import ssh, trust
from daemon.config import edit
from daemon.config import file as config_file
from daemon.models.registry import BUNDLED
from tests.kit.daemon_process import (
    DEMO,
    PROGRAM,
    RUNNER,
    DaemonProcess,
    Tables,
    configured,
    has_ended,
    running,
    signal_each,
    wait_until,
)
from tests.kit.fake_recording import recording

_SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("ip") or not Path(_SSHD).exists(),
        reason="needs root, iproute2 and sshd",
    ),
]
REAL: Tables = {"transcribe": {"model": "base", "backend": "ctranslate2"}}


def call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Machines:
    """A bridge, and a namespace with an sshd for each machine: mac2 is 10.77.0.2, and so on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.servers: list[subprocess.Popen[bytes]] = []
        self.disks: list[Path] = []
        Path("/run/sshd").mkdir(exist_ok=True)
        self.close()
        call("ip", "link", "add", "dsbr", "type", "bridge")
        call("ip", "addr", "add", "10.77.0.1/24", "dev", "dsbr")
        call("ip", "link", "set", "dsbr", "up")

    def add(
        self,
        number: int,
        tables: Tables,
        real: bool = False,
        megabytes: int = 0,
        options: Sequence[str] = (),
        **fake: str,
    ) -> str:
        """Its address. What its key starts is `dropscribe lend` with a configuration of its own,
        with `options` for the runner, on a disk of so many `megabytes`.
        """
        name, folder = f"dsmac{number}", self.root / f"mac{number}"
        folder.mkdir()
        if megabytes:
            call("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
            self.disks.append(folder)
        call("ip", "netns", "add", name)
        call("ip", "link", "add", f"dsv{number}", "type", "veth", "peer", "eth0", "netns", name)
        call("ip", "link", "set", f"dsv{number}", "master", "dsbr", "up")
        inside = ("ip", "netns", "exec", name, "ip")
        call(*inside, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        call(*inside, "link", "set", "eth0", "up")
        config_file.save(configured(folder, {**DEMO, **tables}), folder / "config.toml")
        runner = (
            sys.executable,
            "-s",
            str(RUNNER),
            "--behaviour",
            json.dumps(fake),
            *options,
            "--",
        )
        config = ("--config", str(folder / "config.toml"), "lend")
        program = [*(PROGRAM if real else runner), *config]
        (folder / "connect").write_text(f"#!/bin/sh\nexec {shlex.join(program)}\n")
        (folder / "connect").chmod(0o755)
        self.serve(number)
        return f"root@10.77.0.{number}"

    def serve(self, number: int, key: str = "host_key") -> None:
        folder = self.root / f"mac{number}"
        if not (folder / key).exists():
            call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        (folder / "sshd_config").write_text(
            f"HostKey {folder / key}\nAuthorizedKeysFile {folder / 'authorized_keys'}\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )
        command = ("ip", "netns", "exec", f"dsmac{number}", _SSHD, "-D", "-e")
        log = (folder / "sshd.log").open("ab")
        config = ("-f", str(folder / "sshd_config"))
        self.servers.append(subprocess.Popen([*command, *config], stderr=log, stdout=log))
        log.close()
        time.sleep(0.5)

    def let_in(self, number: int, owner: DaemonProcess) -> None:
        folder = self.root / f"mac{number}"
        line = trust.authorized_line(trust.public_key(owner.config.paths.state), "PROGRAM")
        line = line.replace("PROGRAM lend", str(folder / "connect"))
        (folder / "authorized_keys").write_text(line + "\n")

    def link(self, number: int, state: str) -> None:
        call("ip", "link", "set", f"dsv{number}", state)

    def throttle(self, number: int, rate: str) -> None:
        """No more goes there a second."""
        limit = ("rate", rate, "burst", "64kb", "latency", "400ms")
        call("tc", "qdisc", "replace", "dev", f"dsv{number}", "root", "tbf", *limit)

    def sent(self, number: int) -> int:
        """Bytes that have gone there."""
        return int(Path(f"/sys/class/net/dsv{number}/statistics/tx_bytes").read_text())

    def lenders(self, number: int) -> list[psutil.Process]:
        """`dropscribe lend` there, and its stages."""
        config = str(self.root / f"mac{number}" / "config.toml")
        found = [p for p in psutil.process_iter(["cmdline"]) if config in (p.info["cmdline"] or [])]
        return [*found, *(child for process in found for child in process.children(True))]

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
            server.wait()
        listed = subprocess.run(("ip", "netns"), capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            if (name := line.split()[0]).startswith("dsmac"):
                listing = ("ip", "netns", "pids", name)
                for pid in subprocess.check_output(listing, text=True).split():
                    os.kill(int(pid), signal.SIGKILL)
                call("ip", "netns", "del", name)
        for disk in self.disks:
            subprocess.run(("umount", "-l", str(disk)), capture_output=True, check=False)
        # A namespace lets go of its link only some time later.
        for link in ("dsv2", "dsv3", "dsbr"):
            subprocess.run(("ip", "link", "del", link), capture_output=True, check=False)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path)
    yield machines
    machines.close()


def owner_of(
    machines: Machines, tables: Tables, hosts: dict[int, str], **fake: str
) -> DaemonProcess:
    given: Tables = {**DEMO, **tables}
    folder = machines.root / "owner"
    daemon = DaemonProcess.faked(folder, given, **fake) if fake else DaemonProcess.on(folder, given)
    for number, host in hosts.items():
        machines.let_in(number, daemon)
        trust.pin(daemon.config.paths.state, host)
    edit.change(folder / "config.toml", "cluster.hosts", json.dumps(list(hosts.values())))
    return daemon


def states(daemon: DaemonProcess, host: str) -> list[str]:
    return [event["state"] for event in daemon.events("host") if event["host"] == host]


def wait_ready(daemon: DaemonProcess, *hosts: str) -> None:
    wait_until(lambda: all(states(daemon, h)[-1:] == ["ready"] for h in hosts), "all were ready")


def test_real_weights_on_two_machines(machines: Machines) -> None:
    two, three = machines.add(2, REAL, real=True), machines.add(3, REAL, real=True)
    daemon = owner_of(machines, REAL, {2: two, 3: three})
    added = daemon.call("cluster", "add", two)
    assert added.returncode == 0, added.stderr
    print(added.stdout)
    names = ["jfk.flac", "LJ001-0001.flac", "LJ001-0003.flac", "LJ001-0006.flac", "libri61.flac"]
    began = time.monotonic()
    with running(daemon):
        wait_ready(daemon, two, three)
        for name in names:
            daemon.drop(BUNDLED / "audio" / name)
        daemon.wait_for_ends(len(names), 400)
        print(daemon.call("cluster", "status").stdout)
    hosts = [event["host"] for event in daemon.events("lent")]
    print(f"{len(names)} files in {time.monotonic() - began:.1f} s; lent: {hosts}")
    assert len(daemon.events("done")) == len(names)
    assert set(hosts) == {two, three}


def test_who_is_not_let_in_or_is_not_who_it_was(machines: Machines, tmp_path: Path) -> None:
    host = machines.add(2, {})
    daemon = owner_of(machines, {}, {2: host})
    state = daemon.config.paths.state
    connect = list(ssh.command(state, host))
    other = subprocess.run([*connect[:-1], "id"], input=b"", capture_output=True, check=False)
    assert b"uid=" not in other.stdout  # it starts `dropscribe lend`, whatever is asked for
    assert b"another dropscribe's cluster starts" in other.stderr
    forward = [*connect[:1], "-L", "127.0.0.1:9977:127.0.0.1:22", *connect[1:]]
    refused = subprocess.run(forward, input=b"", capture_output=True, check=False)
    assert refused.returncode != 0
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger"))
    key = str(state / "cluster" / ssh.KEY)
    strange = [str(tmp_path / "stranger") if part == key else part for part in connect]
    stranger = subprocess.run(strange, input=b"", capture_output=True, check=False)
    assert b"Permission denied" in stranger.stderr
    machines.servers[-1].terminate()
    machines.servers[-1].wait()
    machines.serve(2, "another_key")
    changed = subprocess.run(connect, input=b"", capture_output=True, check=False)
    assert changed.returncode == 255
    said = ssh.explained(changed.stderr.decode(), host)
    print(said)
    assert "its host key is another one" in said
    refusal = daemon.call("cluster", "add", host)
    assert refusal.returncode == 1
    assert "its host key is another one" in refusal.stderr


@pytest.mark.parametrize("fault", ["killed", "frozen", "link down", "child killed"])
def test_a_fault_over_a_file_loses_and_doubles_nothing(machines: Machines, fault: str) -> None:
    never, gate = machines.root / "never", machines.root / "gate"
    host = machines.add(2, {"lend": {"files": 1}}, transcribe=f"gate:{never}")
    daemon = owner_of(machines, {}, {2: host}, transcribe=f"gate:{gate}")
    with running(daemon):
        wait_ready(daemon, host)
        for number in range(3):
            daemon.drop(recording(f"this is number {number}"), f"{number}.wav")
        session = machines.root / "mac2" / "state" / "lent" / "session"
        wait_until(lambda: list(session.glob("state/jobs/*/prepared.json")), "one was at work")
        there = machines.lenders(2)
        began = time.monotonic()
        if fault == "link down":
            machines.link(2, "down")
        elif fault == "child killed":
            children = psutil.Process(daemon.processes[-1].pid).children()
            [child] = [p for p in children if "daemon.cluster.child" in p.cmdline()]
            child.kill()
        if fault in ("killed", "frozen"):
            signal_each(there, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
        if fault == "child killed":
            wait_until(lambda: len(states(daemon, host)) >= 2, "it was there again")
        else:
            daemon.wait_for("lost")
        known = time.monotonic() - began
        print(f"{fault}: known, and the file back in the queue, after {known:.1f} s")
        never.touch()
        if fault == "link down":
            wait_until(lambda: all(map(has_ended, there)), "the lender had ended")
            print(
                f"{fault}: the lender and its stages ended after {time.monotonic() - began:.1f} s"
            )
            time.sleep(max(0.0, 60 - (time.monotonic() - began)))
            machines.link(2, "up")
            up = time.monotonic()
            wait_ready(daemon, host)
            print(f"{fault}: there again {time.monotonic() - up:.1f} s after the link")
        if fault == "frozen":
            signal_each(there, signal.SIGCONT)
        gate.touch()
        daemon.wait_for_ends(3)
    assert len(daemon.events("done")) == 3
    assert sorted(path.name for path in daemon.config.paths.outbox.glob("*.txt")) == [
        f"{number}.txt" for number in range(3)
    ]


def test_a_full_disk_there_gives_the_files_back(machines: Machines) -> None:
    host = machines.add(2, {"limits": {"min_free_mb": 900_000_000}})
    daemon = owner_of(machines, {}, {2: host}, transcribe="")
    with running(daemon):
        wait_ready(daemon, host)
        for number in range(4):
            daemon.drop(recording(f"this is number {number}"), f"{number}.wav")
        daemon.wait_for_ends(4)
        wait_until(lambda: "away" in states(daemon, host), "it had left")
    [why] = {e["reason"] for e in daemon.events("host") if e["state"] == "away"}
    print(why)
    assert len(daemon.events("done")) == 4
    assert not daemon.events("lost")


def test_a_disk_that_fills_up_there_gives_the_files_back(machines: Machines) -> None:
    """The recordings fit; what is made of them does not."""
    host = machines.add(2, {"limits": {"min_free_mb": 0}}, megabytes=10)
    gate = machines.root / "gate"
    daemon = owner_of(machines, {}, {2: host}, transcribe=f"gate:{gate}")
    with running(daemon):
        wait_ready(daemon, host)
        for number in range(5):
            content = recording(f"this is number {number}") + b"\n" * 4_000_000
            daemon.drop(content, f"{number}.wav")
        wait_until(lambda: "away" in states(daemon, host), "it had left")
        began = time.monotonic()
        [*_, why] = [e["reason"] for e in daemon.events("host") if e["state"] == "away"]
        gate.touch()
        daemon.wait_for_ends(5)
        print(f"full: {why}; all done {time.monotonic() - began:.1f} s later")
        print([(e["event"], e.get("reason")) for e in daemon.events() if e["event"] == "host"])
    assert len(daemon.events("done")) == 5


def test_fifty_megabytes_that_are_cut_off_on_their_way_are_sent_on_from_there(
    machines: Machines,
) -> None:
    """A real FLAC at 40 Mbit/s; the link is cut for good measure until both sides know."""
    host = machines.add(2, {**REAL, "lend": {"files": 1}}, real=True)
    gate = f"gate:{machines.root / 'gate'}"
    daemon = owner_of(machines, REAL, {2: host}, prepare=gate)
    flac = machines.root / "long.flac"
    write_flac(flac)
    size = flac.stat().st_size
    machines.throttle(2, "40mbit")
    with running(daemon):
        wait_ready(daemon, host)
        for number in range(2):
            daemon.drop(recording(f"this is number {number}"), f"{number}.wav")
        daemon.wait_until(lambda: kept_here(daemon) == 2, "two were kept here")
        daemon.drop(flac)
        partial = machines.root / "mac2" / "state" / "lent" / "partial"
        wait_until(lambda: arrived(partial) > size // 3, "a third was there")
        machines.link(2, "down")
        cut = time.monotonic()
        wait_until(lambda: states(daemon, host)[-1:] == ["connecting"], "it was known")
        wait_until(lambda: not machines.lenders(2), "the lender had ended")
        print(f"known on both sides {time.monotonic() - cut:.1f} s after the cut")
        there, sent, up = arrived(partial), machines.sent(2), time.monotonic()
        machines.link(2, "up")
        machines.throttle(2, "40mbit")
        daemon.wait_for("lent")
        print(
            f"{size / 1e6:.1f} MB, {there / 1e6:.1f} MB there when it was cut;"
            f" {(machines.sent(2) - sent) / 1e6:.1f} MB more were sent;"
            f" back {time.monotonic() - up:.1f} s after the link"
        )
        rest = machines.sent(2) - sent
        (machines.root / "gate").touch()
        daemon.wait_for_ends(3)
    assert size > 50_000_000
    assert size // 3 < there < size
    assert rest < size - there + size // 10  # what frames and acknowledgements add
    assert len(daemon.events("done")) == 3
    assert not daemon.events("lost")
    assert "ask not what your country" in daemon.document("long")["segments"][0]["text"].lower()


def kept_here(daemon: DaemonProcess) -> int:
    status = json.loads((daemon.config.paths.state / "status.json").read_bytes())
    return sum(not run["host"] for run in status["working_on"])


def arrived(partial: Path) -> int:
    return sum(path.stat().st_size for path in partial.glob("*"))


def write_flac(target: Path) -> None:
    """Eleven seconds of speech, and five minutes of noise that no encoder makes smaller."""
    with av.open(str(BUNDLED / "audio" / "jfk.flac")) as source:
        resampler = av.AudioResampler("s16", "stereo", 44_100)
        frames = [f for frame in source.decode(audio=0) for f in resampler.resample(frame)]
    speech = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    noise = np.random.default_rng(0).integers(-3_000, 3_000, 2 * 360 * 44_100, dtype=np.int16)
    sound = np.concatenate([speech, noise])
    with av.open(str(target), "w") as container:
        stream = container.add_stream("flac", rate=44_100, layout="stereo")
        for at in range(0, len(sound), 88_200):
            block = np.ascontiguousarray(sound[None, at : at + 88_200])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 44_100, at // 2
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("days", [3, -3])
def test_a_clock_that_is_wrong_there_does_not_matter(machines: Machines, days: int) -> None:
    offset = machines.root / "offset"
    offset.write_text(str(days * 86_400))
    options = ("--wall-offset", str(offset))  # libfaketime breaks Python's own waiting
    host = machines.add(2, {"lend": {"files": 1}}, options=options, transcribe="")
    daemon = owner_of(machines, {}, {2: host}, transcribe=f"gate:{machines.root / 'gate'}")
    with running(daemon):
        wait_ready(daemon, host)
        for number in range(3):
            daemon.drop(recording(f"this is number {number}"), f"{number}.wav")
        [lent] = daemon.wait_for("lent")
        (machines.root / "gate").touch()
        daemon.wait_for_ends(3)
    assert len(daemon.events("done")) == 3
    [done] = [event for event in daemon.events("done") if event["job"] == lent["job"]]
    assert 0 <= done["seconds"] < 600
    assert 0 <= done["work_seconds"] < 600
