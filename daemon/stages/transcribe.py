"""TRANSCRIBE: audio.npy → transcript.json, and each segment into segments.jsonl as it is decoded.

One resident process, warm between files; the only one that loads a Whisper model. Where the
recogniser can, it decodes the last of one file together with the first of the next.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json, Recognition, Segment
from daemon.domain.validation import to_json
from daemon.errors import DropscribeError
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest
from daemon.models import checksums, registry
from daemon.stages import blas, sandbox
from daemon.stages.serve import Channel, Handler, StageError, serve

if TYPE_CHECKING:
    from daemon.asr.recognizer import FileRequest, Recognizer
    from daemon.audio import Waveform


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"), required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--converted", type=Path, required=True)
    parser.add_argument("--aligner", default="")
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--decoder-bits", type=int, default=0)
    return parser.parse_args()


def _confine() -> None:
    """It writes into the jobs' folders, which it is started in, and keeps converted models."""
    converted: Path = _arguments().converted
    converted.mkdir(parents=True, exist_ok=True)
    # By default MLX keeps what it compiles for CUDA among the temporary files, which end with us.
    os.environ.setdefault("MLX_PTX_CACHE_DIR", str(converted / "mlx-kernels"))
    sandbox.confine_model(Path.cwd(), converted)


def _handler() -> Handler:
    arguments = _arguments()
    models = _Models(arguments)
    with contextlib.suppress(StageError):  # a missing model is an answer to a file, not a crash
        models.recognizer()

    def transcribe(first: Channel) -> None:
        recognizer = models.recognizer()
        waiting = [first]

        def next_file() -> FileRequest | None:
            if not waiting and models.outdated:
                return None  # the next file is for the model that has arrived
            channel = waiting.pop() if waiting else first.next()
            return (
                None
                if channel is None
                else _File(channel, recognizer, models.stands_in_for, arguments.aligner).request()
            )

        recognizer.recognize_all(next_file)

    return transcribe


class _Models:
    """The recogniser in use: of the wanted model, or of its stand-in until that is here."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._recognizer: Recognizer | None = None
        self.stands_in_for = ""

    @property
    def outdated(self) -> bool:
        """Whether the model that was wanted has arrived since its stand-in was loaded."""
        given = self._arguments
        return bool(self.stands_in_for) and registry.is_here(given.model, given.backend, os.environ)

    def recognizer(self) -> Recognizer:
        """Loaded if need be. Raises StageError with what to do where it cannot be."""
        if self._recognizer is None or self.outdated:
            self._recognizer = None  # two models at once may be too much for the memory
            self._recognizer = self._load()
        return self._recognizer

    def _load(self) -> Recognizer:
        given = self._arguments
        try:
            weights = registry.find_or_stand_in(
                given.model, given.backend, os.environ, given.stand_in
            )
            self.stands_in_for = weights.stands_in_for
            checksums.verify(weights.folder)
            return _load(weights, given.backend, given.converted, given.decoder_bits)
        except DropscribeError as error:  # missing, tampered with, or of a kind that cannot be used
            raise StageError(FailureKind.ENVIRONMENT, str(error)) from error


class _File:
    """One file on its way through the recogniser, and what is written for it."""

    def __init__(
        self, channel: Channel, recognizer: Recognizer, stands_in_for: str, aligner: str
    ) -> None:
        self._channel = channel
        self._recognizer = recognizer
        self._stands_in_for = stands_in_for
        self._aligner = aligner
        self._folder = channel.request.folder

    def request(self) -> FileRequest:
        """Raises StageError for a folder that cannot be read."""
        from daemon.asr.recognizer import (  # noqa: PLC0415
            FileRequest,
            RecognitionOptions,
        )
        from daemon.audio import SAMPLE_RATE, Recording  # noqa: PLC0415

        self._job = job = JobRequest.read(self._folder)
        self._audio: Waveform = Recording(self._folder / artefacts.AUDIO)
        self._speech = artefacts.read_prepared(self._folder).speech
        self._seconds = len(self._audio) / SAMPLE_RATE
        self._segments = (self._folder / artefacts.SEGMENTS).open("w", encoding="utf-8")
        return FileRequest(
            audio=self._audio,
            speech=self._speech,
            options=RecognitionOptions(
                job.language, job.languages, job.initial_prompt, job.translate, job.beam_size
            ),
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
        from daemon.asr.review import review  # noqa: PLC0415 - stdout must be guarded first

        self._segments.close()
        warnings, check = review(recognition, self._speech, self._audio)
        recognition = replace(
            recognition, stands_in_for=self._stands_in_for, warnings=warnings, check=check
        )
        recognition = self._with_words(recognition)
        self._job.write_options(self._folder)
        artefacts.write_artefact(
            self._folder / artefacts.TRANSCRIPT, self._channel.request.nonce, recognition
        )
        self._channel.answer()

    def _with_words(self, recognition: Recognition) -> Recognition:
        """With Whisper's own word times where no alignment model will find better ones."""
        from daemon.asr.word_times import add_words  # noqa: PLC0415 - a rare wish

        wanted = self._without_aligner(recognition)
        if not wanted:
            return recognition
        timed: dict[int, Segment] = {}
        try:
            for language in {segment.language or recognition.language for segment in wanted}:
                spoken = [
                    one for one in wanted if (one.language or recognition.language) == language
                ]
                for segment in add_words(
                    self._audio, language, spoken, self._recognizer.listener()
                ):
                    timed[segment.id] = segment
                    self._channel.progress(min(segment.end, self._seconds), self._seconds)
        except RuntimeError:  # of MLX or CTranslate2; no word is worth a transcript
            traceback.print_exc()
        segments = tuple(timed.get(segment.id, segment) for segment in recognition.segments)
        return replace(recognition, segments=segments)

    def _without_aligner(self, recognition: Recognition) -> list[Segment]:
        """The segments for which there is no alignment model, or none that is sure to hear them."""
        from daemon.models.aligners import read_catalogue  # noqa: PLC0415

        if self._job.fallback == "segments" or self._job.translate:
            return []
        name = self._aligner or read_catalogue().models.get(recognition.language, "")
        here = bool(name) and registry.aligner_is_here(name, os.environ)
        if self._job.fallback == "asr" or not here:
            return list(recognition.segments)
        return [segment for segment in recognition.segments if segment.language]

    def _write(self, line: Json) -> None:
        """A segment is handed to the aligner while the rest is still being decoded."""
        self._segments.write(json.dumps(line) + "\n")
        self._segments.flush()


def _load(
    weights: registry.Weights, backend: str, conversions: Path, decoder_bits: int
) -> Recognizer:
    if backend == "mlx":
        from daemon.asr.mlx_backend.recognizer import MlxRecognizer  # noqa: PLC0415 - one backend only

        recognizer = MlxRecognizer(
            weights.folder,
            name=weights.name,
            revision=weights.revision,
            decoder_bits=decoder_bits,
        )
        recognizer.warm_up()
        return recognizer
    _import_numpy_on_one_core()
    from daemon.asr.ctranslate2_backend.conversion import converted  # noqa: PLC0415 - one backend only
    from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer  # noqa: PLC0415

    with _without_torch():
        folder = (
            converted(weights.folder, conversions) if weights.needs_conversion else weights.folder
        )
    return CTranslate2Recognizer(folder, name=weights.name, revision=weights.revision)


def _import_numpy_on_one_core() -> None:
    """Its BLAS computes a log-mel now and then: threads of its own would wait busily in between.

    CTranslate2 may have read from the same variables how many threads it uses: they come back.
    """
    before = {name: os.environ.get(name) for name in blas.VARIABLES}
    blas.keep_on_one_core()
    import numpy  # noqa: F401, PLC0415

    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """A conversion's libraries import torch where they find it, for seconds and 450 MB."""
    name = "torch"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # "importing it fails", by the import system
    try:
        yield
    finally:
        del sys.modules[name]


if __name__ == "__main__":
    serve(_handler, _confine)
