"""Transcription of real recordings with one model's weights, warm. Run as a child.

Ours and the peers are measured in a process each, since ours is started with settings of its own.
Ours gets the time of voice-activity detection added; the peers get decoded audio as well. On a CPU
mlx_whisper runs with the same float32 weights as ours, without which it is four times slower.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from daemon import audio
from daemon.asr.ctranslate2_backend.conversion import converted
from daemon.asr.recognizer import FileRequest, RecognitionOptions, Recognizer
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.bench.measurement import Measurement, Note, System, paired, report
from daemon.bench.peer_models import (
    mlx_whisperx_transcribe,
    openai_transcribe,
    stock_model,
    stock_transcribe,
    vayu_transcribe,
)
from daemon.bench.word_errors import word_error_rate
from daemon.domain.transcript import Segment
from daemon.stages import decode, speech

Transcribe = Callable[["Recording"], str]
_OURS = "dropscribe"
_WARM_UP = 60  # seconds of audio


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded recording, also as the .npy file that the stages share, and what is said in it."""

    name: str
    samples: FloatArray
    npy: Path
    truth: str | None


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that is measured beside ours, the package it needs, and how it is loaded."""

    name: str
    package: str
    make: Callable[[], Transcribe]


def load(path: Path, folder: Path) -> Recording:
    """Decode `path` into `folder`; its truth is NAME.truth.json beside it, if there."""
    npy = folder / f"{path.stem}.npy"
    with path.open("rb") as file:
        decode.decode(file, npy, float("inf"), lambda *_: None)
    beside = path.with_suffix(".truth.json")
    truth = json.loads(beside.read_text(encoding="utf-8"))["text"] if beside.exists() else None
    return Recording(path.stem, audio.Recording(npy)[:], npy, truth)


def mlx_systems(
    model: Path, wanted: Sequence[str] = ()
) -> tuple[Recognizer, dict[str, Transcribe]]:
    """Ours, and the installed peers with the same weights: those that are `wanted`, or all."""
    from daemon.asr.mlx_backend.recognizer import MlxRecognizer  # noqa: PLC0415 - one backend only

    def stock(condition: bool) -> Transcribe:
        return partial(_said, stock_transcribe(stock_model(model)), condition)

    def mlx_whisperx() -> Transcribe:
        transcribe = mlx_whisperx_transcribe(model)
        return lambda each: _segments_text(transcribe(each.samples))

    def vayu() -> Transcribe:
        transcribe = vayu_transcribe(model)
        return lambda each: str(transcribe(each.samples)["text"])

    ours = MlxRecognizer(model, name=model.name)
    peers = [
        Peer("mlx_whisper, no conditioning", "mlx_whisper", partial(stock, False)),
        Peer("mlx_whisper, as shipped", "mlx_whisper", partial(stock, True)),
        Peer(
            "openai-whisper, no conditioning",
            "whisper",
            lambda: partial(_said, openai_transcribe(model), False),
        ),
        Peer("mlx-whisperx", "mlx_whisperx", mlx_whisperx),
        Peer("vayu-whisper", "whisper_mlx", vayu),
    ]
    return ours, {_OURS: partial(_ours, ours)} | _made(peers, wanted)


def ctranslate2_systems(
    model: Path, cache: Path, wanted: Sequence[str] = ()
) -> tuple[Recognizer, dict[str, Transcribe]]:
    """Ours, and the installed peers with the same weights: those that are `wanted`, or all."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

    from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer  # noqa: PLC0415

    folder = model if (model / "model.bin").exists() else converted(model, cache)
    ours = CTranslate2Recognizer(folder, name=model.name)
    theirs = WhisperModel(str(folder), device="cpu", compute_type="int8")
    batched = BatchedInferencePipeline(theirs)

    def whisperx() -> Transcribe:
        module = importlib.import_module("whisperx.asr")
        pipeline = module.load_model(str(folder), "cpu", compute_type="int8")
        return lambda each: _segments_text(pipeline.transcribe(each.samples))

    peers = [
        Peer(
            "faster-whisper",
            "faster_whisper",
            lambda: lambda each: _joined(theirs.transcribe(each.samples)),
        ),
        Peer(
            "faster-whisper, batched",
            "faster_whisper",
            lambda: lambda each: _joined(batched.transcribe(each.samples)),
        ),
        Peer("whisperx", "whisperx", whisperx),
    ]
    return ours, {_OURS: partial(_ours, ours)} | _made(peers, wanted)


def _made(peers: Sequence[Peer], wanted: Sequence[str]) -> dict[str, Transcribe]:
    return {
        peer.name: peer.make()
        for peer in peers
        if importlib.util.find_spec(peer.package) is not None
        if not wanted or peer.name in wanted
    }


def _ours(recognizer: Recognizer, recording: Recording) -> str:
    segments = our_segments(recognizer, recording, RecognitionOptions())
    return " ".join(segment.text for segment in segments)


def our_segments(
    recognizer: Recognizer, recording: Recording, options: RecognitionOptions
) -> list[Segment]:
    """What we make of a recording, voice-activity detection included."""
    segments: list[Segment] = []
    spans = speech.find(recording.npy, lambda *_: None)
    file = FileRequest(recording.samples, spans, options, _ignore, segments.append, _ignore)
    files = iter([file])
    recognizer.recognize_all(lambda: next(files, None))
    return segments


def _ignore(_: object) -> None:
    """Nobody is told."""


def _said(
    transcribe: Callable[..., Mapping[str, Any]], condition: bool, recording: Recording
) -> str:
    return str(transcribe(recording.samples, condition_on_previous_text=condition)["text"])


def _segments_text(said: Mapping[str, Any]) -> str:
    return " ".join(segment["text"].strip() for segment in said["segments"])


def _joined(answer: tuple[object, object]) -> str:
    segments, _ = answer
    assert hasattr(segments, "__iter__")
    return " ".join(segment.text.strip() for segment in segments)


def measure(
    backend: str, systems: Mapping[str, Transcribe], recording: Recording, rounds: int
) -> list[Measurement]:
    """All systems on one recording, in turn; word errors are counted in the timed runs.

    Before that, each has heard the recording's first minute.
    """
    beginning = replace(recording, samples=recording.samples[: _WARM_UP * SAMPLE_RATE])
    for transcribe in systems.values():
        transcribe(beginning)

    def run(transcribe: Transcribe) -> Mapping[str, Note]:
        began = time.process_time()
        text = transcribe(recording)
        # Threads that wait count as well: with one thread it holds on a busy machine, too.
        cpu = {"CPU s": round(time.process_time() - began, 2)}
        if recording.truth is None:
            return {"words": len(text.split())} | cpu
        return {"word errors": f"{word_error_rate(text, recording.truth):.1%}"} | cpu

    seconds = len(recording.samples) / SAMPLE_RATE
    table = f"transcription of {recording.name} ({seconds:.0f} s), warm, through {backend}"
    timed = {name: System(partial(run, each)) for name, each in systems.items()}
    return paired(table, timed, rounds, warm_up=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"), required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--side", choices=("ours", "peers"), required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("recordings", type=Path, nargs="+")
    arguments = parser.parse_args()
    wanted = [_OURS] if arguments.side == "ours" else arguments.peer  # no peer has that name
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        folder = Path(temporary)
        if arguments.backend == "mlx":
            _, systems = mlx_systems(arguments.model, wanted)
        else:
            cache = folder / "converted"
            _, systems = ctranslate2_systems(arguments.model, cache, wanted)
        ours = {_OURS: systems.pop(_OURS)}
        measured = ours if arguments.side == "ours" else systems
        for path in arguments.recordings:
            recording = load(path, folder)
            report(measure(arguments.backend, measured, recording, arguments.rounds))


if __name__ == "__main__":
    main()
