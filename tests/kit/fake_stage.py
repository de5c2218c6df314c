"""Fast stages that obey what the dropped file says: `fake_stage.py daemon.stages.STAGE`.

They speak the real protocol through the real `daemon.stages.serve`; PREPARE is the real one with
another decoder. A "recording" is text: its first line is what was said, and each line
`@STAGE BEHAVIOUR [TIMES]` makes that stage misbehave, at its first TIMES starts for the job (or
always). The transcript is the first line, so a test can tell which bytes a result came from.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # started with -S: nothing else is importable

from daemon.domain.job import FailureKind
from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Recognition,
    Segment,
    Word,
    WordSource,
)
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest
from daemon.stages import prepare, serve
from daemon.stages.serve import Channel, Handler, StageError

Misbehave = Callable[[Channel], None]
_SECONDS = 1.0  # what every fake recording lasts


def _behaviour(stage: str, content: bytes, folder: Path) -> str:
    """What this start should do: "" to work as it should."""
    for line in content.decode("utf-8", "replace").splitlines()[1:]:
        words = line.split()
        if words[:1] == [f"@{stage}"]:
            times = int(words[2]) if len(words) > 2 else sys.maxsize
            counter = folder / f"fake-{stage}-starts"
            started = int(counter.read_text()) if counter.exists() else 0
            counter.write_text(str(started + 1))
            return words[1] if started < times else ""
    return ""


def _said(content: bytes) -> str:
    return content.split(b"\n")[0].decode("utf-8", "replace")


# Misbehaviour


def _segv(channel: Channel) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _abort(channel: Channel) -> None:
    os.abort()


def _killed(channel: Channel) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit_without_result(channel: Channel) -> None:
    os._exit(0)


def _hang(channel: Channel) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def _stop_itself(channel: Channel) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _spin(channel: Channel) -> None:
    """Busy, and reporting the same point for ever."""
    while True:
        channel.progress(0.5, _SECONDS)


def _swell(channel: Channel) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1) * 20_000_000))
        time.sleep(0.02)


def _flood_log(channel: Channel) -> None:
    for _ in range(400):
        os.write(2, b"noise " * 10_000 + b"\n")


def _flood_protocol(channel: Channel) -> None:
    while True:
        os.write(_protocol[0], b"{not our protocol}\n" * 50)


def _grandchild(channel: Channel) -> None:
    """A child that holds our output open and outlives us, as a decoder's helper might."""
    command = ["sleep", "60"]
    subprocess.Popen(command, stdout=_protocol[0], close_fds=False, cwd=channel.request.folder)
    time.sleep(1.2)  # long enough to be seen: a child of a dead process is nobody's child
    os.kill(os.getpid(), signal.SIGSEGV)


def _kill_the_daemon(channel: Channel) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)  # the end of stdin ends us


def _disk_full(channel: Channel) -> None:
    raise OSError(28, "No space left on device")


def _no_model(channel: Channel) -> None:
    raise StageError(FailureKind.ENVIRONMENT, "the model is not on this machine")


def _bad_input(channel: Channel) -> None:
    raise StageError(FailureKind.BAD_INPUT, "cannot be decoded: it is not a recording")


def _defect(channel: Channel) -> None:
    raise RuntimeError("a defect of a library")


def _source(channel: Channel) -> Path:
    return JobRequest.read(channel.request.folder).source


def _grow(channel: Channel) -> None:
    with _source(channel).open("ab") as file:
        file.write(b"more\n")


def _rewrite(channel: Channel) -> None:
    _source(channel).write_bytes(b"rewritten\n")


def _rewrite_and_hide(channel: Channel) -> None:
    """Other bytes, same size, same modification time: only ctime tells."""
    source = _source(channel)
    before = source.stat()
    source.write_bytes(b"hidden".ljust(before.st_size, b"\n"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def _vanish(channel: Channel) -> None:
    _source(channel).unlink()


def _rename(channel: Channel) -> None:
    source = _source(channel)
    source.rename(source.with_name(f"renamed-{source.name}"))


def _slow(channel: Channel) -> None:
    for step in range(1, 6):
        time.sleep(0.1)
        channel.progress(step / 10, _SECONDS)


def _dump_environment(channel: Channel) -> None:
    lines = [f"{key}={value}" for key, value in sorted(os.environ.items())]
    text = "\n".join([*lines, f"cwd {Path.cwd()}", f"flags {sys.flags}"])
    (channel.request.folder / "environment.txt").write_text(text)


_BEFORE: dict[str, Misbehave] = {
    "segv": _segv,
    "abort": _abort,
    "killed": _killed,
    "exit0": _exit_without_result,
    "hang": _hang,
    "stop": _stop_itself,
    "spin": _spin,
    "swell": _swell,
    "floodlog": _flood_log,
    "floodprotocol": _flood_protocol,
    "grandchild": _grandchild,
    "killdaemon": _kill_the_daemon,
    "diskfull": _disk_full,
    "nomodel": _no_model,
    "bad": _bad_input,
    "defect": _defect,
    "grow": _grow,
    "rewrite": _rewrite,
    "hide": _rewrite_and_hide,
    "vanish": _vanish,
    "rename": _rename,
    "slow": _slow,
    "environment": _dump_environment,
}


def _abort_at_exit(path: Path) -> None:
    """After the result and its receipt, as libraries do when the interpreter ends."""
    threading.Timer(0.05, os.abort).start()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _replace(old: bytes, new: bytes) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(old, new))

    return replace


_AFTER: dict[str, Callable[[Path], None]] = {
    "empty": Path.unlink,
    "truncated": _truncate,
    "othernonce": _replace(b'"nonce": "', b'"nonce": "0'),
    "nan": _replace(b"0.75", b"NaN"),
    "abortatexit": _abort_at_exit,
}

_protocol: list[int] = []


# The stages


def _prepare() -> Handler:
    decoder = types.ModuleType("daemon.stages.decode")
    detector = types.ModuleType("daemon.stages.speech")

    class UnreadableError(Exception):
        pass

    def decode(file, target, *_unused, **_also):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN003, ANN202
        content = file.read()
        target.write_bytes(content)
        return types.SimpleNamespace(
            seconds=_SECONDS,
            container="wav",
            codec="pcm",
            recorded_at=None,
            warnings=(),
            is_cut_off=False,
        )

    decoder.decode = decode  # type: ignore[attr-defined]
    decoder.UnreadableError = UnreadableError  # type: ignore[attr-defined]
    detector.find = lambda *_: ((0.0, _SECONDS),)  # type: ignore[attr-defined]
    sys.modules |= {decoder.__name__: decoder, detector.__name__: detector}
    real = prepare._handler()

    def handle(channel: Channel) -> None:
        content = b""
        with contextlib.suppress(OSError):
            content = _source(channel).read_bytes()
        _obey("prepare", content, channel, artefacts.PREPARED, real)

    return handle


def _transcribe() -> Handler:
    def work(channel: Channel) -> None:
        text = _said(_audio(channel))
        segment = Segment(0, 0.25, 0.75, text, -0.1, 0.0)
        recognition = Recognition(
            language="en",
            language_probability=1.0,
            segments=(segment,),
            backend="fake",
            device="none",
            model="fake",
            model_revision="0",
            versions={},
        )
        artefacts.write_artefact(
            channel.request.folder / artefacts.TRANSCRIPT,
            channel.request.nonce,
            recognition,
        )

    return lambda channel: _obey("transcribe", _audio(channel), channel, artefacts.TRANSCRIPT, work)


def _align() -> Handler:
    def work(channel: Channel) -> None:
        while not channel.complete:
            channel.wait_for_more()
        recognition = artefacts.read_recognition(channel.request.folder)
        words = {
            segment.id: (Word(segment.text, segment.start, segment.end, 0.9, WordSource.ALIGNED),)
            for segment in recognition.segments
        }
        alignment = Alignment(AlignmentStatus.COMPLETE, "", "fake", words)
        artefacts.write_artefact(
            channel.request.folder / artefacts.ALIGNMENT, channel.request.nonce, alignment
        )

    return lambda channel: _obey("align", _audio(channel), channel, artefacts.ALIGNMENT, work)


def _audio(channel: Channel) -> bytes:
    return (channel.request.folder / artefacts.AUDIO).read_bytes()


def _obey(stage: str, content: bytes, channel: Channel, artefact: str, work: Misbehave) -> None:
    behaviour = _behaviour(stage, content, channel.request.folder)
    if behaviour in _BEFORE:
        _BEFORE[behaviour](channel)
    work(channel)
    if behaviour in _AFTER:
        _AFTER[behaviour](channel.request.folder / artefact)


def _remember_protocol() -> None:
    guard = serve.guard_stdout

    def guarded() -> int:
        _protocol.append(guard())
        return _protocol[0]

    serve.guard_stdout = guarded


if __name__ == "__main__":
    _remember_protocol()
    stage = sys.argv[1].rpartition(".")[2]
    serve.serve({"prepare": _prepare, "transcribe": _transcribe, "align": _align}[stage])
