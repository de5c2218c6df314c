"""Fast stages that need no model: `fake_stage.py daemon.stages.STAGE [BEHAVIOUR]`.

They speak the real protocol through the real `daemon.stages.serve`; PREPARE is the real one with
another decoder, PUBLISH the real one. What is said, and how a stage misbehaves, stands in the
recording (fake_recording.py); BEHAVIOUR holds for every recording that asks for nothing.
"""

from __future__ import annotations

# ruff: noqa: E402 - started with -S, which is quicker: until the path is set, nothing is importable
import contextlib
import json
import resource
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn

_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = Path(sys.executable).parents[1] / "lib" / _VERSION / "site-packages"
sys.path[:0] = [str(Path(__file__).parents[2]), str(_PACKAGES)]

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
from daemon.handoff.artefacts import JobRequest
from daemon.stages import prepare, publish, serve
from daemon.stages.serve import Channel, Handler
from tests.kit.fake_recording import behaviour, said
from tests.kit.misbehaviour import Start, act

SECONDS = 4.0  # what every fake recording lasts
# What a recording says that is cut off, or cannot be read at all, until WHOLE_WITH is in it.
CUT_OFF_WITHOUT, READABLE_WITH, WHOLE_WITH = b"the first half", b"a header", b"and the rest"
CONTENT = "fake-recording"  # in the job's folder: the bytes that PREPARE read
_HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (64,), }"
_SILENCE = b"\x93NUMPY\x01\x00\x76\x00" + _HEADER.ljust(117) + b"\n" + bytes(4 * 64)
_protocol: list[int] = []


def _prepare() -> Handler:
    decoder = types.ModuleType("daemon.stages.decode")
    detector = types.ModuleType("daemon.stages.speech")

    class UnreadableError(Exception):
        is_final = False

    def decode(file: BinaryIO, target: Path, *_: object, **__: object) -> types.SimpleNamespace:
        content = file.read()
        target.with_name(CONTENT).write_bytes(content)
        if READABLE_WITH in content and WHOLE_WITH not in content:
            raise UnreadableError("its beginning is there, but not its end")
        target.write_bytes(_SILENCE)
        return types.SimpleNamespace(
            seconds=SECONDS,
            container="wav",
            codec="pcm_s16le",
            metadata=types.SimpleNamespace(
                recorded_at=None, title=None, artist=None, album=None, chapters=()
            ),
            warnings=(),
            is_cut_off=CUT_OFF_WITHOUT in content and WHOLE_WITH not in content,
            lanes=(),
            tracks=(),
        )

    decoder.decode = decode  # type: ignore[attr-defined]
    decoder.UnreadableError = UnreadableError  # type: ignore[attr-defined]
    detector.find = lambda *_: ((0.0, SECONDS),)  # type: ignore[attr-defined]
    sys.modules |= {decoder.__name__: decoder, detector.__name__: detector}
    return prepare._handler()


def _transcribe() -> Handler:
    def work(channel: Channel) -> None:
        request = channel.request
        texts = said(_content(request.folder))
        step = SECONDS / max(len(texts), 1)
        segments = tuple(
            Segment(at, at * step, (at + 0.75) * step, text, -0.1, 0.01)
            for at, text in enumerate(texts)
        )
        lines = [{"language": "en"}, *(to_json(segment) for segment in segments)]
        handed_over = "".join(json.dumps(line) + "\n" for line in lines)
        (request.folder / artefacts.SEGMENTS).write_text(handed_over)
        channel.progress(SECONDS, SECONDS)
        found = Recognition("en", 1.0, segments, "fake", "cpu", "fake", "1", {"fake": "1"})
        JobRequest.read(request.folder).write_options(request.folder)
        path = request.folder / artefacts.TRANSCRIPT
        artefacts.write_artefact(path, request.nonce, found)

    return work


def _align() -> Handler:
    def work(channel: Channel) -> None:
        request = channel.request
        words: dict[int, tuple[Word, ...]] = {}
        if (request.folder / artefacts.TRANSCRIPT).exists():  # not where ALIGN is tested alone
            segments = artefacts.read_recognition(request.folder).segments
            words = {segment.id: _words(segment) for segment in segments}
        alignment = Alignment(AlignmentStatus.COMPLETE, "", "fake", words)
        path = request.folder / artefacts.ALIGNMENT
        artefacts.write_artefact(path, request.nonce, alignment)

    return work


def _diarize() -> Handler:
    """The first speaker says one word, the second the rest."""

    def work(channel: Channel) -> None:
        turns = (Turn(0.0, 0.35, 0), Turn(0.4, SECONDS, 1))
        voices = (Voice((1.0, 0.0)), Voice((0.0, 1.0)))
        found = Diarization(DiarizationStatus.COMPLETE, voices=voices, turns=turns)
        request = channel.request
        artefacts.write_artefact(request.folder / artefacts.SPEAKERS, request.nonce, found)

    return work


def _words(segment: Segment) -> tuple[Word, ...]:
    texts = segment.text.split()
    step = min(0.4, (segment.end - segment.start) / len(texts))
    starts = [segment.start + at * step for at in range(len(texts))]
    return tuple(
        Word(text, start, start + 0.75 * step, 0.9, WordSource.ALIGNED)
        for text, start in zip(texts, starts, strict=True)
    )


def _content(folder: Path) -> bytes:
    """The recording; b"" where the real PREPARE has decoded one."""
    path = folder / CONTENT
    return path.read_bytes() if path.exists() else b""


_STAGES: dict[str, tuple[Callable[[], Handler], str]] = {
    "prepare": (_prepare, artefacts.PREPARED),
    "transcribe": (_transcribe, artefacts.TRANSCRIPT),
    "align": (_align, artefacts.ALIGNMENT),
    "diarize": (_diarize, artefacts.SPEAKERS),
    "publish": (publish._handler, artefacts.OUTPUT_SET),
}


def _handler(stage: str, otherwise: str) -> Handler:
    make, artefact = _STAGES[stage]
    work = make()

    def handle(channel: Channel) -> None:
        folder = channel.request.folder
        content = _content(folder)
        if stage == "prepare":
            with contextlib.suppress(OSError):
                content = JobRequest.read(folder).source.read_bytes()
        asked = behaviour(content, stage) or otherwise
        while stage == "align" and not (channel.complete or asked.startswith("early:")):
            channel.wait_for_more()
        start = Start(channel, work, folder / artefact, _protocol[0])
        act(start, asked, folder / f"fake-{stage}-starts")

    return handle


def _remember_protocol() -> None:
    guard = serve.guard_stdout

    def guarded() -> int:
        _protocol.append(guard())
        return _protocol[0]

    serve.guard_stdout = guarded


def main(module: str, otherwise: str = "") -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _remember_protocol()
    stage = module.rpartition(".")[2]
    serve.serve(lambda: _handler(stage, otherwise))


if __name__ == "__main__":
    main(*sys.argv[1:])
