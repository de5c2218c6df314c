"""A stage that needs no model, and breaks in one chosen way: stage.py STAGE WAY.

It speaks the real protocol through the daemon's own modules. Every way really happens: real
signals, real floods, real memory. A stand-in is only the work itself: texts and times are made up.

WAY `gate:PATH` waits until PATH exists; `once:WAY` breaks in a job's first attempt only, and
`once:WAY,WAY2` behaves otherwise later; `early:WAY` breaks as soon as it is asked, not when its
input is whole.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.domain.job import FailureKind, Stage
from daemon.domain.speakers import Diarization, DiarizationStatus, Turn, Voice
from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Recognition,
    Segment,
    Word,
    WordSource,
)
from daemon.domain.validation import to_json
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest, Prepared
from daemon.handoff.protocol import (
    Progress,
    Ready,
    Receipt,
    Request,
    Usage,
    message_line,
    parse_request,
)

SECONDS = 4.0
TEXTS = ("One two three.", "Four five.")
SAMPLES = 64_000
HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }" % SAMPLES
SILENCE = b"\x93NUMPY\x01\x00\x76\x00" + HEADER.ljust(117) + b"\n" + bytes(4 * SAMPLES)
ARTEFACTS = {
    Stage.PREPARE: artefacts.PREPARED,
    Stage.TRANSCRIBE: artefacts.TRANSCRIPT,
    Stage.ALIGN: artefacts.ALIGNMENT,
    Stage.DIARIZE: artefacts.SPEAKERS,
}


def say(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def receipt(request: Request, kind: FailureKind | None = None, message: str = "") -> None:
    say(message_line(Receipt(request.nonce, Usage(0.01, 1_000_000), kind, message)))


# The work


def segments(texts: Sequence[str] = TEXTS) -> tuple[Segment, ...]:
    step = SECONDS / len(texts)
    return tuple(
        Segment(at, at * step, (at + 0.75) * step, text, -0.1, 0.01)
        for at, text in enumerate(texts)
    )


def words(segment: Segment) -> tuple[Word, ...]:
    return tuple(
        Word(
            text, segment.start + at * 0.4, segment.start + at * 0.4 + 0.3, 0.9, WordSource.ALIGNED
        )
        for at, text in enumerate(segment.text.split())
    )


def prepare(request: Request, nonce: str) -> None:
    source = JobRequest.read(request.folder).source
    content = source.read_bytes()
    (request.folder / artefacts.AUDIO).write_bytes(SILENCE)
    digest = hashlib.sha256(content).hexdigest()
    prepared = Prepared(
        digest, len(content), SECONDS, "wav", "pcm_s16le", None, (), ((0.0, SECONDS),)
    )
    write(request, nonce, prepared)


def transcribe(request: Request, nonce: str, texts: Sequence[str] = TEXTS) -> None:
    said = segments(texts)
    lines = [{"language": "en"}, *(to_json(segment) for segment in said)]
    handed_over = "".join(json.dumps(line) + "\n" for line in lines)
    (request.folder / artefacts.SEGMENTS).write_text(handed_over)
    say(message_line(Progress(request.nonce, SECONDS, SECONDS)))
    recognition = Recognition("en", 1.0, said, "fake", "cpu", "fake", "1", {"fake": "1"})
    write(request, nonce, recognition)


def align(request: Request, nonce: str) -> None:
    found = {segment.id: words(segment) for segment in segments()}
    write(request, nonce, Alignment(AlignmentStatus.COMPLETE, "", "fake", found))


def diarize(request: Request, nonce: str) -> None:
    """The first speaker says one word, the second the rest."""
    turns = (Turn(0.0, 0.35, 0), Turn(0.4, SECONDS, 1))
    found = Diarization(DiarizationStatus.COMPLETE, voices=(Voice(), Voice()), turns=turns)
    write(request, nonce, found)


def write(request: Request, nonce: str, content: object) -> None:
    artefacts.write_artefact(request.folder / ARTEFACTS[STAGE], nonce, content)


WORK = {
    Stage.PREPARE: prepare,
    Stage.TRANSCRIBE: transcribe,
    Stage.ALIGN: align,
    Stage.DIARIZE: diarize,
}


def ok(request: Request) -> None:
    WORK[STAGE](request, request.nonce)
    receipt(request)


def lines(request: Request) -> None:
    """TRANSCRIBE: each line of the recording is a segment."""
    source = JobRequest.read(request.folder).source
    transcribe(request, request.nonce, source.read_text().splitlines())
    receipt(request)


# The ways to break


def segv(_: Request) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def abort(_: Request) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def kill(_: Request) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(_: Request) -> None:
    """Deaf to SIGTERM and to the end of stdin."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(3600)


def stop(_: Request) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def marktime(request: Request) -> None:
    """A heart that beats without the work going on."""
    while True:
        say(message_line(Progress(request.nonce, 1.0, SECONDS)))
        time.sleep(0.05)


def flood_stdout(_: Request) -> None:
    while True:
        say(b"not of the protocol\n" * 1000)


def flood_stdout_with_one_line(_: Request) -> None:
    while True:
        say(b"x" * 65536)


def flood_stderr(_: Request) -> None:
    while True:
        sys.stderr.write("noise that nobody should keep\n" * 1000)


def hog(_: Request) -> None:
    held = b"x" * 300_000_000
    time.sleep(3600)
    del held


def leave(_: Request) -> None:
    raise SystemExit(0)


def fail(_: Request) -> None:
    raise SystemExit(7)


def no_result(request: Request) -> None:
    receipt(request)


def broken_result(request: Request) -> None:
    (request.folder / ARTEFACTS[STAGE]).write_bytes(b"\x00\xff no JSON")
    receipt(request)


def truncated_result(request: Request) -> None:
    WORK[STAGE](request, request.nonce)
    path = request.folder / ARTEFACTS[STAGE]
    path.write_bytes(path.read_bytes()[:-20])
    receipt(request)


def wrong_nonce(request: Request) -> None:
    WORK[STAGE](request, "0123456789abcdef")
    receipt(request)


def bad_input(request: Request) -> None:
    receipt(request, FailureKind.BAD_INPUT, "this is not a recording")


def full_disk(request: Request) -> None:
    receipt(request, FailureKind.ENVIRONMENT, "the disk is full")


def grandchild(_: Request) -> None:
    """Die, and leave a child behind that holds our pipes open."""
    subprocess.Popen(["sleep", "3600"])
    time.sleep(1.2)  # long enough for the daemon to have seen it
    os._exit(9)


def unseen_grandchild(_: Request) -> None:
    """As above, but nobody can know of the child. It ends by itself, after the test."""
    subprocess.Popen(["sleep", "5"])
    os._exit(9)


def crash_after_receipt(request: Request) -> None:
    WORK[STAGE](request, request.nonce)
    receipt(request)
    segv(request)


def gate(path: str) -> Callable[[Request], None]:
    def wait(request: Request) -> None:
        at = 0.0
        while not Path(path).exists():
            at += 0.05
            say(message_line(Progress(request.nonce, at, 1e6)))
            time.sleep(0.05)
        ok(request)

    return wait


WAYS: dict[str, Callable[[Request], None]] = {
    way.__name__: way
    for way in (
        ok, lines, segv, abort, kill, hang, stop, marktime, flood_stdout,
        flood_stdout_with_one_line, flood_stderr, hog, leave, fail, no_result, broken_result,
        truncated_result, wrong_nonce, bad_input, full_disk, grandchild, unseen_grandchild,
        crash_after_receipt,
    )
}  # fmt: skip


def behaviour(way: str, request: Request) -> Callable[[Request], None]:
    name, _, rest = way.partition(":")
    if name == "gate":
        return gate(rest)
    if name == "early":
        return behaviour(rest, request)
    if name == "once":
        first, _, afterwards = rest.partition(",")
        broken_before = request.folder / f"{STAGE}.broke"
        if broken_before.exists():
            return behaviour(afterwards or "ok", request)
        broken_before.touch()
        return behaviour(first, request)
    return WAYS[name]


def main(way: str) -> None:
    say(message_line(Ready()))
    asked: dict[str, Request] = {}
    for line in sys.stdin.buffer:
        event = parse_request(line)
        if isinstance(event, Request):
            asked[event.nonce] = event
        whole = STAGE is not Stage.ALIGN or getattr(event, "complete", False)
        if whole or (isinstance(event, Request) and way.startswith("early:")):
            request = asked[event.nonce]
            behaviour(way, request)(request)


if __name__ == "__main__":
    STAGE = Stage(sys.argv[1])
    main(sys.argv[2])
