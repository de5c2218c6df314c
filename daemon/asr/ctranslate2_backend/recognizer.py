"""Whisper through CTranslate2: the backend where there is no GPU that MLX knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.chunks import Chunk, cut_chunks
from daemon.asr.ctranslate2_backend.encoder import CTranslate2Listener
from daemon.asr.language import Language, choose_language
from daemon.asr.quality import ATTEMPTS_BEFORE_HALVES, Decoded, better
from daemon.asr.recognizer import FileRequest, FloatArray, RecognitionOptions, Span
from daemon.asr.timeline import Timeline
from daemon.domain.transcript import Recognition, Segment

_BATCH = 8  # chunks decoded together: more gains nothing on a CPU
_LAST_BATCH = 2
_FRAMES = 3000  # frames of log-mel in a window of 30 s
_FIRST_TIMESTAMP = 50  # the first timestamp is at most 1 s, as in openai/whisper
_TEXT_CONTEXT = 448
_BEAMS = (1, 5)  # how many texts are followed at once, in one attempt after the other


@dataclass(frozen=True, slots=True)
class _Batch:
    """Chunks and what the encoder made of them, shape (chunks, 1500, width)."""

    chunks: tuple[Chunk, ...]
    encoded: FloatArray


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
        audio: FloatArray,
        speech: Sequence[Span],
        options: RecognitionOptions,
        on_language: Callable[[str], None],
        on_segment: Callable[[Segment], None],
    ) -> Recognition:
        chunks = cut_chunks(audio, speech)
        first = self._encode(audio, chunks[: _batch_size(chunks)]) if chunks else None
        language = self._language(first, options)
        on_language(language.code)
        tokens = Tokenizer(
            self._whisper.hf_tokenizer,
            self._whisper.model.is_multilingual,
            task="transcribe",
            language=language.code,
        )
        timeline = Timeline(audio, chunks, tokens, on_segment)
        decoder = _FileDecoder(self._whisper, tokens, options, timeline)
        batch, waiting = first, chunks[_batch_size(chunks) :]
        while batch is not None:
            decoded = decoder.decode(batch)
            more = [timeline.add(*each) for each in zip(batch.chunks, decoded, strict=True)]
            waiting = [chunk for chunks in more for chunk in chunks] + waiting
            size = _batch_size(waiting)
            batch = self._encode(audio, waiting[:size]) if waiting else None
            waiting = waiting[size:]
        return self._recognition(language, timeline.segments)

    def _encode(self, audio: FloatArray, chunks: Sequence[Chunk]) -> _Batch:
        features = np.stack([self._features(chunk.samples(audio)) for chunk in chunks])
        return _Batch(tuple(chunks), np.asarray(self._whisper.encode(features)))

    def _features(self, samples: FloatArray) -> FloatArray:
        log_mel = self._whisper.feature_extractor(samples)[:, :_FRAMES]
        padded: FloatArray = np.pad(log_mel, [(0, 0), (0, _FRAMES - log_mel.shape[1])])
        return padded

    def _language(self, first: _Batch | None, options: RecognitionOptions) -> Language:
        def probabilities(batch: _Batch) -> dict[str, float]:
            encoded = ctranslate2.StorageView.from_array(batch.encoded[:1])
            (ranked,) = self._whisper.model.detect_language(encoded)
            return {token.strip("<|>"): probability for token, probability in ranked}

        known = self._whisper.supported_languages
        detect = None if first is None else partial(probabilities, first)
        return choose_language(options, known, detect)

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


class _FileDecoder:
    """Decodes batches of one file's chunks."""

    def __init__(
        self,
        whisper: faster_whisper.WhisperModel,
        tokens: Tokenizer,
        options: RecognitionOptions,
        timeline: Timeline,
    ) -> None:
        self._whisper = whisper
        self._tokens = tokens
        self._timeline = timeline
        prompt = options.initial_prompt
        self._previous = tokens.encode(" " + prompt.strip()) if prompt else []

    def decode(self, batch: _Batch) -> list[Decoded]:
        """Decode greedily, and what failed with ever wider beams."""
        best: list[Decoded | None] = [None] * len(batch.chunks)
        failed = list(range(len(batch.chunks)))
        for number, width in enumerate(_BEAMS):
            still = []
            for rows in self._of_one_length(batch, failed):
                for row, tried in zip(rows, self._attempt(batch, rows, width), strict=True):
                    best[row] = tried if tried.good else better(best[row], tried)
                    divisible = batch.chunks[row].divisible
                    if not tried.good and not (divisible and number + 1 >= ATTEMPTS_BEFORE_HALVES):
                        still.append(row)
            failed = still
            if not failed:
                break
        return [decoded for decoded in best if decoded is not None]

    def _of_one_length(self, batch: _Batch, rows: Sequence[int]) -> list[list[int]]:
        """CTranslate2 reads prompts of one length together."""
        groups = defaultdict[int, list[int]](list)
        for row in rows:
            groups[len(batch.chunks[row].context)].append(row)
        return list(groups.values())

    def _attempt(self, batch: _Batch, rows: list[int], beam: int) -> list[Decoded]:
        chunks = [batch.chunks[row] for row in rows]
        results = self._whisper.model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(batch.encoded[rows])),
            [self._prompt(chunk) for chunk in chunks],
            beam_size=beam,
            max_length=_TEXT_CONTEXT,
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=_FIRST_TIMESTAMP,
            suppress_tokens=list(self._tokens.non_speech_tokens),
        )
        return [self._judged(chunk, result) for chunk, result in zip(chunks, results, strict=True)]

    def _prompt(self, chunk: Chunk) -> list[int]:
        prompt: list[int] = self._whisper.get_prompt(
            self._tokens, [*self._previous, *chunk.context]
        )
        return prompt

    def _judged(self, chunk: Chunk, result: ctranslate2.models.WhisperGenerationResult) -> Decoded:
        sampled = result.sequences_ids[0]
        # CTranslate2 divides by the number of tokens, OpenAI counts the end of text as well.
        logprob = result.scores[0] * len(sampled) / (len(sampled) + 1)
        return self._timeline.decoded(chunk, sampled, logprob, result.no_speech_prob)
