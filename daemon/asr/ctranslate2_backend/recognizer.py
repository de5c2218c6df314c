"""Whisper through CTranslate2: the backend where there is no GPU that MLX knows."""

from __future__ import annotations

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
from daemon.asr.quality import TEMPERATURES, Decoded, better
from daemon.asr.recognizer import FileRequest, FloatArray, RecognitionOptions, Span
from daemon.asr.timeline import Timeline
from daemon.domain.transcript import Recognition, Segment

_BATCH = 8  # chunks decoded together: more gains nothing on a CPU
_LAST_BATCH = 2
_FRAMES = 3000  # frames of log-mel in a window of 30 s
_FIRST_TIMESTAMP = 50  # the first timestamp is at most 1 s, as in openai/whisper
_TEXT_CONTEXT = 448


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
        timeline = Timeline(chunks, tokens, on_segment)
        prompt = self._prompt(tokens, options.initial_prompt)
        batch, waiting = first, chunks[_batch_size(chunks) :]
        while batch is not None:
            decoded = self._decode(batch, tokens, prompt)
            rests = [timeline.add(*each) for each in zip(batch.chunks, decoded, strict=True)]
            waiting = [rest for rest in rests if rest is not None] + waiting
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

    def _decode(self, batch: _Batch, tokens: Tokenizer, prompt: list[int]) -> list[Decoded]:
        """Decode greedily, then only what failed at ever higher temperatures."""
        best: list[Decoded | None] = [None] * len(batch.chunks)
        failed = list(range(len(batch.chunks)))
        for temperature in TEMPERATURES:
            attempts = self._attempt(batch.encoded[failed], tokens, prompt, temperature)
            for row, attempt in zip(failed, attempts, strict=True):
                best[row] = attempt if attempt.good else better(best[row], attempt)
            failed = [row for row, a in zip(failed, attempts, strict=True) if not a.good]
            if not failed:
                break
        return [decoded for decoded in best if decoded is not None]

    def _attempt(
        self, encoded: FloatArray, tokens: Tokenizer, prompt: list[int], temperature: float
    ) -> list[Decoded]:
        results = self._whisper.model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded)),
            [prompt] * len(encoded),
            beam_size=1,
            max_length=_TEXT_CONTEXT,
            sampling_topk=1 if temperature == 0 else 0,
            sampling_temperature=temperature or 1.0,
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=_FIRST_TIMESTAMP,
            suppress_tokens=list(tokens.non_speech_tokens),
        )
        return [_decoded(result, tokens) for result in results]

    def _prompt(self, tokens: Tokenizer, initial_prompt: str | None) -> list[int]:
        previous = tokens.encode(" " + initial_prompt.strip()) if initial_prompt else []
        prompt: list[int] = self._whisper.get_prompt(tokens, previous)
        return prompt

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


def _decoded(result: ctranslate2.models.WhisperGenerationResult, tokens: Tokenizer) -> Decoded:
    sampled = result.sequences_ids[0]
    return Decoded(
        tokens=tuple(sampled),
        text=tokens.decode(sampled).strip(),
        # CTranslate2 divides by the number of tokens, OpenAI counts the end of text as well.
        avg_logprob=result.scores[0] * len(sampled) / (len(sampled) + 1),
        no_speech_prob=result.no_speech_prob,
    )
