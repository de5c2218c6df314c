"""Transcription of real recordings with one model's weights, warm, in one process. Run as a child.

Ours gets the time of voice-activity detection added; the peers get decoded audio as well. On a CPU
mlx_whisper runs with the same float32 weights as ours, without which it is four times slower.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A decoded recording, also as the .npy file that the stages share, and what is said in it."""

    name: str
    samples: FloatArray
    npy: Path
    truth: str | None


def load(path: Path, folder: Path) -> Recording:
    """Decode `path` into `folder`; its truth is NAME.truth.json beside it, if there."""
    npy = folder / f"{path.stem}.npy"
    with path.open("rb") as file:
        decode.decode(file, npy, float("inf"), lambda *_: None)
    beside = path.with_suffix(".truth.json")
    truth = json.loads(beside.read_text(encoding="utf-8"))["text"] if beside.exists() else None
    return Recording(path.stem, audio.Recording(npy)[:], npy, truth)


def mlx_systems(model: Path) -> tuple[Recognizer, dict[str, Transcribe]]:
    """Ours, and every system with the same weights."""
    from daemon.asr.mlx_backend.recognizer import MlxRecognizer  # noqa: PLC0415 - one backend only

    ours = MlxRecognizer(model, name=model.name)
    systems: dict[str, Transcribe] = {"dropscribe": partial(_ours, ours)}
    if importlib.util.find_spec("mlx_whisper") is not None:
        stock = stock_transcribe(stock_model(model))
        systems["mlx_whisper, no conditioning"] = partial(_said, stock, False)
        systems["mlx_whisper, as shipped"] = partial(_said, stock, True)
    if importlib.util.find_spec("whisper") is not None:
        systems["openai-whisper, no conditioning"] = partial(_said, openai_transcribe(model), False)
    if importlib.util.find_spec("mlx_whisperx") is not None:
        whisperx = mlx_whisperx_transcribe(model)
        systems["mlx-whisperx"] = lambda each: _segments_text(whisperx(each.samples))
    if importlib.util.find_spec("whisper_mlx") is not None:
        vayu = vayu_transcribe(model)
        systems["vayu-whisper"] = lambda each: str(vayu(each.samples)["text"])
    return ours, systems


def ctranslate2_systems(model: Path, cache: Path) -> tuple[Recognizer, dict[str, Transcribe]]:
    """Ours, and every system with the same weights."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415

    from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer  # noqa: PLC0415

    folder = model if (model / "model.bin").exists() else converted(model, cache)
    ours = CTranslate2Recognizer(folder, name=model.name)
    theirs = WhisperModel(str(folder), device="cpu", compute_type="int8")
    batched = BatchedInferencePipeline(theirs)
    systems: dict[str, Transcribe] = {
        "dropscribe": partial(_ours, ours),
        "faster-whisper": lambda each: _joined(theirs.transcribe(each.samples)),
        "faster-whisper, batched": lambda each: _joined(batched.transcribe(each.samples)),
    }
    if importlib.util.find_spec("whisperx") is not None:
        whisperx = importlib.import_module("whisperx.asr").load_model(
            str(folder), "cpu", compute_type="int8"
        )
        systems["whisperx"] = lambda each: _segments_text(whisperx.transcribe(each.samples))
    return ours, systems


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
    """All systems on one recording, in turn; word errors are counted in the timed runs."""

    def run(transcribe: Transcribe) -> Mapping[str, Note]:
        text = transcribe(recording)
        if recording.truth is None:
            return {"words": len(text.split())}
        return {"word errors": f"{word_error_rate(text, recording.truth):.1%}"}

    seconds = len(recording.samples) / SAMPLE_RATE
    table = f"transcription of {recording.name} ({seconds:.0f} s), warm, through {backend}"
    return paired(
        table, {name: System(partial(run, each)) for name, each in systems.items()}, rounds
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"), required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("recordings", type=Path, nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        folder = Path(temporary)
        if arguments.backend == "mlx":
            _, systems = mlx_systems(arguments.model)
        else:
            _, systems = ctranslate2_systems(arguments.model, folder / "converted")
        for path in arguments.recordings:
            recording = load(path, folder)
            report(measure(arguments.backend, systems, recording, arguments.rounds))


if __name__ == "__main__":
    main()
