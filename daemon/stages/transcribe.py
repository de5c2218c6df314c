"""TRANSCRIBE: audio.npy → transcript.json, and each segment into segments.jsonl as it is decoded.

One resident process, warm between files; the only one that loads a Whisper model. Where the
recogniser can, it decodes the last of one file together with the first of the next.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json, Recognition, Segment
from daemon.domain.validation import to_json
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest
from daemon.models import checksums, registry
from daemon.stages import sandbox
from daemon.stages.serve import Channel, Handler, StageError, serve

if TYPE_CHECKING:
    from daemon.asr.recognizer import FileRequest, Recognizer
    from daemon.audio import FloatArray


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"), required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--converted", type=Path, required=True)
    return parser.parse_args()


def _confine() -> None:
    """It writes into the jobs' folders, which it is started in, and keeps converted models."""
    converted: Path = _arguments().converted
    converted.mkdir(parents=True, exist_ok=True)
    sandbox.confine_model(Path.cwd(), converted)


def _handler() -> Handler:
    arguments = _arguments()
    loaded: list[Recognizer] = []
    with contextlib.suppress(StageError):  # a missing model is an answer to a file, not a crash
        loaded.append(_load(arguments))

    def transcribe(first: Channel) -> None:
        if not loaded:
            loaded.append(_load(arguments))
        waiting = [first]

        def next_file() -> FileRequest | None:
            channel = waiting.pop() if waiting else first.next()
            return None if channel is None else _File(channel, loaded[0]).request()

        loaded[0].recognize_all(next_file)

    return transcribe


class _File:
    """One file on its way through the recogniser, and what is written for it."""

    def __init__(self, channel: Channel, recognizer: Recognizer) -> None:
        self._channel = channel
        self._recognizer = recognizer
        self._folder = channel.request.folder

    def request(self) -> FileRequest:
        """Raises StageError for a folder that cannot be read."""
        import numpy as np  # noqa: PLC0415 - stdout must be guarded before it is imported

        from daemon.asr.recognizer import (  # noqa: PLC0415
            FileRequest,
            RecognitionOptions,
        )
        from daemon.audio import SAMPLE_RATE  # noqa: PLC0415

        self._job = job = JobRequest.read(self._folder)
        self._audio: FloatArray = np.load(self._folder / artefacts.AUDIO, mmap_mode="r")
        self._seconds = len(self._audio) / SAMPLE_RATE
        self._segments = (self._folder / artefacts.SEGMENTS).open("w", encoding="utf-8")
        return FileRequest(
            audio=self._audio,
            speech=artefacts.read_prepared(self._folder).speech,
            options=RecognitionOptions(job.language, job.languages, job.initial_prompt),
            on_language=self._on_language,
            on_segment=self._on_segment,
            on_done=self._on_done,
        )

    def _on_language(self, language: str) -> None:
        self._write({"language": language})
        self._channel.progress(0.0, self._seconds)

    def _on_segment(self, segment: Segment) -> None:
        self._write(to_json(segment))
        self._channel.progress(min(segment.end, self._seconds), self._seconds)

    def _on_done(self, recognition: Recognition) -> None:
        self._segments.close()
        if self._job.asr_words:
            recognition = self._with_words(recognition)
        artefacts.write_artefact(
            self._folder / artefacts.TRANSCRIPT, self._channel.request.nonce, recognition
        )
        self._channel.answer()

    def _with_words(self, recognition: Recognition) -> Recognition:
        """With Whisper's own word times, where no alignment model will find better ones."""
        from daemon.alignment.catalogue import read_catalogue  # noqa: PLC0415 - a rare wish
        from daemon.asr.word_times import add_words  # noqa: PLC0415

        if recognition.language in read_catalogue().models:
            return recognition
        listener = self._recognizer.listener()
        segments: list[Segment] = []
        try:
            for segment in add_words(
                self._audio, recognition.language, recognition.segments, listener
            ):
                segments.append(segment)
                self._channel.progress(min(segment.end, self._seconds), self._seconds)
        except RuntimeError:  # of MLX or CTranslate2; no word is worth a transcript
            traceback.print_exc()
            return recognition
        return replace(recognition, segments=tuple(segments))

    def _write(self, line: Json) -> None:
        """A segment is handed to the aligner while the rest is still being decoded."""
        self._segments.write(json.dumps(line) + "\n")
        self._segments.flush()


def _load(arguments: argparse.Namespace) -> Recognizer:
    try:
        weights = registry.find(arguments.model, arguments.backend, os.environ)
        checksums.verify(weights.folder)
    except registry.ModelMissingError as error:
        raise StageError(FailureKind.ENVIRONMENT, str(error)) from error
    if arguments.backend == "mlx":
        from daemon.asr.mlx_backend.recognizer import MlxRecognizer  # noqa: PLC0415 - one backend only

        recognizer = MlxRecognizer(weights.folder, name=weights.name, revision=weights.revision)
        recognizer.warm_up()
        return recognizer
    from daemon.asr.ctranslate2_backend.conversion import converted  # noqa: PLC0415 - one backend only
    from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer  # noqa: PLC0415

    folder = weights.folder
    if weights.needs_conversion:
        folder = converted(folder, arguments.converted)
    return CTranslate2Recognizer(folder, name=weights.name, revision=weights.revision)


if __name__ == "__main__":
    serve(_handler, _confine)
