"""How a fake stage can misbehave. Every way really happens: real signals, real floods, real memory.

NAME [TIMES [NAME]]   at the stage's first TIMES starts for the job (without TIMES: always);
                      afterwards it works, or does what the second NAME says
early:NAME            ALIGN: as soon as it is asked, not when its input is whole
gate:PATH             works when PATH exists, and says until then that it goes on
chatty:PATH           as gate, but says so hundreds of times a second
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import FailureKind
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.protocol import Progress, Receipt, Usage, message_line
from daemon.models.memory import BATCH_DIVISOR
from daemon.stages.serve import Channel, StageError


@dataclass(frozen=True)
class Start:
    """One start of a stage for a job."""

    channel: Channel
    work: Callable[[Channel], None]  # what the stage should do: write its artefact
    artefact: Path
    protocol: int  # the descriptor of the way back to the daemon

    def ok(self) -> None:
        self.work(self.channel)

    @property
    def source(self) -> Path:
        return JobRequest.read(self.channel.request.folder).source


Behaviour = Callable[[Start], None]


# Deaths


def segv(_: Start) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def abort(_: Start) -> None:
    os.abort()


def gpu_gives_up(_: Start) -> None:
    """As MLX dies when macOS ends its work on the GPU."""
    sys.stderr.write("[METAL] Command buffer execution failed: Impacting Interactivity\n")
    sys.stderr.flush()
    os.abort()


def gpu_gives_up_under_much(start: Start) -> None:
    """It bears a quarter of a batch."""
    if int(os.environ.get(BATCH_DIVISOR, "1")) < 4:
        gpu_gives_up(start)
    start.ok()


def kill(_: Start) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_: Start) -> None:
    os._exit(0)


def fail(_: Start) -> None:
    os._exit(7)


def grandchild(start: Start) -> None:
    """Die, and leave a child behind that holds our output open, as a decoder's helper might."""
    folder = start.channel.request.folder
    subprocess.Popen(["sleep", "60"], stdout=start.protocol, close_fds=False, cwd=folder)
    time.sleep(1.2)  # long enough to be seen: a child of a dead process is nobody's child
    os._exit(9)


def unseen_grandchild(start: Start) -> None:
    """As above, but no look at the processes falls into the time that both live."""
    folder = start.channel.request.folder
    subprocess.Popen(["sleep", "60"], stdout=start.protocol, close_fds=False, cwd=folder)
    os._exit(9)


def kill_daemon(_: Start) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)  # the end of stdin ends us


def abort_at_exit(start: Start) -> None:
    """After the result and its receipt, as libraries do when the interpreter ends."""
    start.ok()
    receipt = Receipt(start.channel.request.nonce, Usage(0.01, 1_000_000))
    os.write(start.protocol, message_line(receipt))
    os.abort()


# Those that do not come to an end


def hang(start: Start) -> None:
    """Deaf to SIGTERM; the end of stdin ends it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    start.channel.progress(0.1, 4.0)
    while True:
        time.sleep(1)


def deaf(start: Start) -> None:
    """Deaf to SIGTERM and to the end of stdin."""
    os._exit = lambda _: None  # type: ignore[assignment]
    hang(start)


def stop(_: Start) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def spin(start: Start) -> None:
    """A heart that beats without the work going on."""
    while True:
        start.channel.progress(0.5, 4.0)
        time.sleep(0.05)


def swell(start: Start) -> None:
    """The work goes on meanwhile: memory is all that is wrong."""
    hoard: list[bytes] = []
    while True:
        hoard.append(b"x" * 20_000_000)
        start.channel.progress(len(hoard), 1e6)
        time.sleep(0.02)


def flood_output(start: Start) -> None:
    while True:
        os.write(start.protocol, b"not of the protocol\n" * 1000)


def flood_line(start: Start) -> None:
    while True:
        os.write(start.protocol, b"x" * 65536)


def flood_well_formed(start: Start) -> None:
    while True:
        os.write(start.protocol, b'{"type":"ready"}\n' * 200)


def flood_progress(start: Start) -> None:
    """The work goes on, and as fast as can be said."""
    done = 0.0
    while True:
        done += 0.001
        line = message_line(Progress(start.channel.request.nonce, round(done, 3), 1e9))
        os.write(start.protocol, line * 200)


def flood_log(_: Start) -> None:
    """30 MB a second at most: what is kept must not depend on how fast the disk is."""
    while True:
        os.write(2, b"noise that nobody should keep\n" * 5000)
        time.sleep(0.005)


# Failures that are reported


def disk_full(_: Start) -> None:
    raise OSError(28, "No space left on device")


def no_model(_: Start) -> None:
    raise StageError(FailureKind.ENVIRONMENT, "the model is not on this machine")


def bad_input(_: Start) -> None:
    raise StageError(FailureKind.BAD_INPUT, "this is not a recording")


def forge(_: Start) -> None:
    """A decoder that was taken over: its sentence clears the terminal and adds a line."""
    raise StageError(FailureKind.BAD_INPUT, "no audio\x1b[2J\n#1 forged.wav: done")


def no_room(_: Start) -> None:
    raise StageError(FailureKind.NO_ROOM, "decoded, it needs more disk space than is free")


def defect(_: Start) -> None:
    raise RuntimeError("a defect of a library")


# Results that are none


def no_result(_: Start) -> None:
    """Success is reported all the same."""


def broken_result(start: Start) -> None:
    start.artefact.write_bytes(b"\x00\xff no JSON")


def truncated_result(start: Start) -> None:
    start.ok()
    start.artefact.write_bytes(start.artefact.read_bytes()[:-20])


def _replaced(start: Start, old: bytes, new: bytes) -> None:
    start.ok()
    content, found = re.subn(old, new, start.artefact.read_bytes(), count=1)
    assert found
    start.artefact.write_bytes(content)


def other_attempt(start: Start) -> None:
    _replaced(start, rb'"nonce": *"', b'"nonce": "0')


def other_digest(start: Start) -> None:
    _replaced(start, rb'"sha256": *"', b'"sha256": "../')


def escape(start: Start) -> None:
    """A name that leads out of the outbox."""
    _replaced(start, rb'"name": *"', b'"name": "../')


def not_finite(start: Start) -> None:
    _replaced(start, rb'"end": *[0-9.]+', b'"end": NaN')


# What others do to the recording meanwhile


def grow(start: Start) -> None:
    with start.source.open("ab") as file:
        file.write(b"more\n")
    start.ok()


def rewrite(start: Start) -> None:
    start.source.write_bytes(b"rewritten\n")
    start.ok()


def hide(start: Start) -> None:
    """Other bytes, same size, same modification time: only ctime tells."""
    before = start.source.stat()
    start.source.write_bytes(b"hidden".ljust(before.st_size, b"\n"))
    os.utime(start.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    start.ok()


def vanish(start: Start) -> None:
    start.source.unlink()
    start.ok()


def rename(start: Start) -> None:
    start.source.rename(start.source.with_name(f"renamed-{start.source.name}"))
    start.ok()


def rename_and_touch(start: Start) -> None:
    """As a person who tidies up and a program that then writes a tag: no time is as it was."""
    target = start.source.with_name(f"renamed-{start.source.name}")
    start.source.rename(target)
    os.utime(target)
    start.ok()


def copy_and_delete(start: Start) -> None:
    """A rename on a volume that gives the file another inode then (exFAT in user space)."""
    target = start.source.with_name(f"renamed-{start.source.name}")
    target.with_suffix(".part").write_bytes(start.source.read_bytes())
    start.source.unlink()
    target.with_suffix(".part").rename(target)
    start.ok()


def move_and_touch(start: Start) -> None:
    """Into a folder of the inbox."""
    folder = start.source.parent / "folder"
    folder.mkdir(exist_ok=True)
    start.source.rename(folder / start.source.name)
    os.utime(folder / start.source.name)
    start.ok()


# Those that only take their time


def slow(start: Start) -> None:
    for step in range(1, 6):
        time.sleep(0.1)
        start.channel.progress(step / 10, 4.0)
    start.ok()


def environment(start: Start) -> None:
    """Write down what this process was given."""
    lines = [f"{key}={value}" for key, value in sorted(os.environ.items())]
    text = "\n".join([*lines, f"cwd {Path.cwd()}", f"flags {sys.flags}"])
    (start.channel.request.folder / "environment.txt").write_text(text)
    start.ok()


def gate(start: Start, path: Path) -> None:
    done = 0.0
    while not path.exists():
        done += 0.05
        start.channel.progress(done, 1e6)
        time.sleep(0.05)
    start.ok()


def chatty(start: Start, path: Path) -> None:
    """Until PATH exists, it says four times in ten milliseconds that it goes on."""
    done = 0.0
    while not path.exists():
        for _ in range(4):
            done += 0.01
            line = message_line(Progress(start.channel.request.nonce, done, 1e6))
            os.write(start.protocol, line)
        time.sleep(0.01)
    start.ok()


def without_aligner(start: Start) -> None:
    """ALIGN where its model is missing: the words have Whisper's own times."""
    start.ok()
    found = json.loads(start.artefact.read_bytes())
    found |= {"status": "partial", "reason": "there is no model", "model": ""}
    for words in found["words"].values():
        for word in words:
            word["source"] = "asr"
    start.artefact.write_text(json.dumps(found))


_BEHAVIOURS: dict[str, Behaviour] = {
    one.__name__: one
    for one in (
        segv, abort, gpu_gives_up, gpu_gives_up_under_much,
        kill, leave, fail, grandchild, unseen_grandchild, kill_daemon, abort_at_exit,
        hang, deaf, stop, spin, swell, flood_output, flood_line, flood_well_formed,
        flood_progress, flood_log,
        disk_full, forge, no_room, no_model, bad_input, defect,
        no_result, broken_result, truncated_result, other_attempt, other_digest, escape, not_finite,
        without_aligner,
        grow, rewrite, hide, vanish, rename, rename_and_touch, copy_and_delete,
        move_and_touch, slow, environment,
    )
}  # fmt: skip


def act(start: Start, asked: str, counter: Path) -> None:
    """Do what `asked` says; `counter` counts the starts of this stage for this job."""
    name, times, afterwards = [*asked.split(), "", "", ""][:3]
    started = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(started + 1))
    if times and started >= int(times):
        name = afterwards
    kind, _, path = name.removeprefix("early:").partition(":")
    if kind in {"gate", "chatty"}:
        (gate if kind == "gate" else chatty)(start, Path(path))
    elif kind in {"", "ok"}:
        start.ok()
    else:
        _BEHAVIOURS[kind](start)
