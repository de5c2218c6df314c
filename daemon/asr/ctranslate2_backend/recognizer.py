"""Whisper through CTranslate2: the backend where there is no GPU that MLX knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.chunks import Chunk, cut_chunks
from daemon.asr.ctranslate2_backend.batch_decoder import Batch, FileDecoder
from daemon.asr.ctranslate2_backend.encoder import CTranslate2Listener
from daemon.asr.fair_turns import FairTurns, Turn
from daemon.asr.language import ENGLISH, FileLanguages, Language
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.audio import FloatArray, Span, Waveform
from daemon.domain.transcript import Recognition, Segment

_BATCH = 8  # chunks decoded together: more gains nothing on a CPU
_LAST_BATCH = 2
_FRAMES = 3000  # frames of log-mel in a window of 30 s


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A file on its way through CTranslate2, which decodes batches of one file."""

    request: FileRequest
    languages: FileLanguages
    timeline: Timeline
    decoder: FileDecoder

    def decode(self, batch: Batch) -> list[Chunk]:
        """Decode a batch; return what of it is to be decoded next, in order of time."""
        more = [self.timeline.add(*result) for result in self.decoder.decode(batch)]
        return [chunk for open_ in more for chunk in open_]


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
        """Batch by batch, each of one file: a short file is not kept waiting by a long one."""
        turns = FairTurns[_OpenFile, Chunk]()
        while True:
            while (request := next_file()) is not None:
                chunks = cut_chunks(request.audio, request.speech)
                turn = turns.open(self._opened(request, chunks), chunks)
                self._close_if_complete(turns, turn)
            following = turns.first()
            if following is None:
                return
            file = following.file
            batch = turns.take(following, _batch_size(len(following.waiting)))
            following.put_back(file.decode(self._encode(file.request.audio, batch)))
            self._close_if_complete(turns, following)

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
        """One file; for the arguments see `FileRequest`."""
        done: list[Recognition] = []
        file = FileRequest(audio, speech, options, on_language, on_segment, done.append)
        files = iter([file])
        self.recognize_all(lambda: next(files, None))
        return done[0]

    def _opened(self, request: FileRequest, chunks: Sequence[Chunk]) -> _OpenFile:
        tokens = Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, "transcribe", ENGLISH
        )
        languages = FileLanguages(request.options, self._languages(), request.on_language)
        timeline = Timeline(request.audio, chunks, tokens, request.on_segment, languages.foreign)
        decoder = FileDecoder(self._whisper, tokens, request.options, languages, timeline)
        return _OpenFile(request, languages, timeline, decoder)

    def _languages(self) -> list[str]:
        """Those that the model has a token for: faster-whisper lists all that any Whisper knows."""
        number_of = self._whisper.hf_tokenizer.token_to_id
        listed = self._whisper.supported_languages
        return [code for code in listed if number_of(f"<|{code}|>") is not None]

    def _close_if_complete(
        self, turns: FairTurns[_OpenFile, Chunk], turn: Turn[_OpenFile, Chunk]
    ) -> None:
        file = turn.file
        if file.timeline.complete:
            turns.close(turn)
            file.request.on_done(self._recognition(file.languages.file, file.timeline))

    def _encode(self, audio: Waveform, chunks: Sequence[Chunk]) -> Batch:
        features = np.stack([self._features(chunk.samples(audio)) for chunk in chunks])
        return Batch(tuple(chunks), np.asarray(self._whisper.encode(features)))

    def _features(self, samples: FloatArray) -> FloatArray:
        log_mel = self._whisper.feature_extractor(samples)[:, :_FRAMES]
        padded: FloatArray = np.pad(log_mel, [(0, 0), (0, _FRAMES - log_mel.shape[1])])
        return padded

    def _recognition(self, language: Language, timeline: Timeline) -> Recognition:
        return Recognition(
            language=language.code,
            language_probability=language.probability,
            segments=tuple(timeline.segments),
            check=tuple(timeline.left_out),
            backend="ctranslate2",
            device=self._device,
            model=self._name,
            model_revision=self._revision,
            versions={
                "ctranslate2": ctranslate2.__version__,
                "faster-whisper": faster_whisper.__version__,
            },
        )


def _batch_size(waiting: int) -> int:
    """How many of a file's chunks that wait are decoded next.

    Ever fewer towards the end: the aligner follows a batch behind, and the last batch is what a
    person waits for.
    """
    return min(_BATCH, max(_LAST_BATCH, -(-waiting // 2)))
