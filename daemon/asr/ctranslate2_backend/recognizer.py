"""Whisper through CTranslate2: the backend where there is no GPU that MLX knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.chunks import Chunk, cut_chunks
from daemon.asr.ctranslate2_backend.batch_decoder import Batch, FileDecoder
from daemon.asr.ctranslate2_backend.encoder import CTranslate2Listener
from daemon.asr.language import ENGLISH, FileLanguages, Language
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.audio import FloatArray, Span, Waveform
from daemon.domain.transcript import Recognition, Segment

_BATCH = 8  # chunks decoded together: more gains nothing on a CPU
_LAST_BATCH = 2
_FRAMES = 3000  # frames of log-mel in a window of 30 s


class CTranslate2Recognizer:
    """Satisfies `Recognizer`. `model` is a folder in CTranslate2 format."""

    def __init__(
        self, model: Path, *, name: str, revision: str = "", threads: int = 0, device: str = "cpu"
    ) -> None:
        self._whisper = faster_whisper.WhisperModel(
            str(model),
            device=device,
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
        self._device = device
        self._name = name
        self._revision = revision

    def recognize_all(self, next_file: Callable[[], FileRequest | None]) -> None:
        """One file after the other: CTranslate2 batches within a file."""
        while (file := next_file()) is not None:
            recognition = self.recognize(
                file.audio, file.speech, file.options, file.on_language, file.on_segment
            )
            file.on_done(recognition)

    def listener(self) -> CTranslate2Listener:
        return CTranslate2Listener(self._whisper, self._features)

    def recognize(
        self,
        audio: Waveform,
        speech: Sequence[Span],
        options: RecognitionOptions,
        on_language: Callable[[str], None],
        on_segment: Callable[[Segment], None],
    ) -> Recognition:
        chunks = cut_chunks(audio, speech)
        tokens = Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, "transcribe", ENGLISH
        )
        languages = FileLanguages(options, self._whisper.supported_languages, on_language)
        timeline = Timeline(audio, chunks, tokens, on_segment, languages.foreign)
        decoder = FileDecoder(self._whisper, tokens, options, languages, timeline)
        while chunks:
            size = _batch_size(chunks)
            batch = self._encode(audio, chunks[:size])
            more = [timeline.add(*result) for result in decoder.decode(batch)]
            chunks = [chunk for open_ in more for chunk in open_] + chunks[size:]
        return self._recognition(languages.file, timeline.segments)

    def _encode(self, audio: Waveform, chunks: Sequence[Chunk]) -> Batch:
        features = np.stack([self._features(chunk.samples(audio)) for chunk in chunks])
        return Batch(tuple(chunks), np.asarray(self._whisper.encode(features)))

    def _features(self, samples: FloatArray) -> FloatArray:
        log_mel = self._whisper.feature_extractor(samples)[:, :_FRAMES]
        padded: FloatArray = np.pad(log_mel, [(0, 0), (0, _FRAMES - log_mel.shape[1])])
        return padded

    def _recognition(self, language: Language, segments: Sequence[Segment]) -> Recognition:
        return Recognition(
            language=language.code,
            language_probability=language.probability,
            segments=tuple(segments),
            backend="ctranslate2",
            device=self._device,
            model=self._name,
            model_revision=self._revision,
            versions={
                "ctranslate2": ctranslate2.__version__,
                "faster-whisper": faster_whisper.__version__,
            },
        )


def _batch_size(waiting: Sequence[Chunk]) -> int:
    """How many of the chunks that wait are decoded next.

    Ever fewer towards the end: the aligner follows a batch behind, and the last batch is what a
    person waits for.
    """
    return min(_BATCH, max(_LAST_BATCH, -(-len(waiting) // 2)))
