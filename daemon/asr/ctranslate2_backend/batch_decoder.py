"""Batches of one file's chunks through CTranslate2, and what failed once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.chunks import Chunk
from daemon.asr.language import FileLanguages
from daemon.asr.quality import ATTEMPTS_BEFORE_HALVES, BEAMS, Decoded, better, more_probable
from daemon.asr.recognizer import RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.audio import FloatArray

_FIRST_TIMESTAMP = 50  # the first timestamp is at most 1 s, as in openai/whisper
_TEXT_CONTEXT = 448


Results = list[tuple[Chunk, Decoded]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Chunks and what the encoder made of them, shape (chunks, 1500, width)."""

    chunks: tuple[Chunk, ...]
    encoded: FloatArray


class FileDecoder:
    """Decodes batches of one file's chunks."""

    def __init__(
        self,
        whisper: faster_whisper.WhisperModel,
        tokens: Tokenizer,
        options: RecognitionOptions,
        languages: FileLanguages,
        timeline: Timeline,
    ) -> None:
        self._whisper = whisper
        self._tokens = tokens
        self._languages = languages
        self._timeline = timeline
        self._task = "translate" if options.translate else "transcribe"
        prompt = (options.initial_prompt or "").strip()
        self._beams = (options.beam_size, BEAMS if options.beam_size != BEAMS else 1)
        self._previous = tokens.encode(f" {prompt}") if prompt else []

    def settle(self, chunk: Chunk, encoded: FloatArray) -> None:
        """Hear the file's language in its first chunk, encoded to shape (1500, width)."""
        self._languages.of(chunk, partial(self._detect, encoded))

    def decode(self, batch: Batch) -> Results:
        """Decode as was asked for, and with other beams what failed or is not sure."""
        prompts = self._prompts(batch)
        best = self._plain(batch, prompts)
        rest = failed = [row for row in range(len(batch.chunks)) if row not in best]
        searched = set[int]()
        for number, beam in enumerate(self._beams, start=1):
            searched.update(failed if beam == BEAMS else ())
            for row, tried in self._attempt(batch, prompts, failed, beam):
                best[row] = tried if tried.good else better(best.get(row), tried)
            failed = [
                row
                for row in failed
                if not best[row].good
                if number < ATTEMPTS_BEFORE_HALVES or not batch.chunks[row].divisible
            ]
            if not failed:
                break
        self._search(batch, prompts, [row for row in rest if row not in searched], best)
        return [(chunk, best[row]) for row, chunk in enumerate(batch.chunks)]

    def _plain(self, batch: Batch, prompts: Sequence[list[int]]) -> dict[int, Decoded]:
        """What is sure without timestamps, of those rows that need none."""
        rows = [row for row, chunk in enumerate(batch.chunks) if chunk.continuous]
        plain = [[*prompt, self._tokens.no_timestamps] for prompt in prompts]
        best = dict(self._attempt(batch, plain, rows, self._beams[0]))
        self._search(batch, plain, rows, best)
        return {row: tried for row, tried in best.items() if tried.sure}

    def _search(
        self,
        batch: Batch,
        prompts: Sequence[list[int]],
        rows: Sequence[int],
        best: dict[int, Decoded],
    ) -> None:
        """Replace what is in doubt of `rows` by what beams find, where that is more probable."""
        doubted = [row for row in rows if best[row].doubtful]
        for row, tried in self._attempt(batch, prompts, doubted, BEAMS):
            best[row] = more_probable(best[row], tried)

    def _prompts(self, batch: Batch) -> list[list[int]]:
        languages = [
            self._languages.of(chunk, partial(self._detect, batch.encoded[row]))
            for row, chunk in enumerate(batch.chunks)
        ]
        return [
            self._prompt(chunk, language)
            for chunk, language in zip(batch.chunks, languages, strict=True)
        ]

    def _detect(self, encoded: FloatArray) -> dict[str, float]:
        """How probable each language is in what a chunk was encoded to."""
        (ranked,) = self._whisper.model.detect_language(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded[None]))
        )
        return {token.strip("<|>"): probability for token, probability in ranked}

    def _prompt(self, chunk: Chunk, language: str) -> list[int]:
        multilingual = self._whisper.model.is_multilingual
        tokens = Tokenizer(self._whisper.hf_tokenizer, multilingual, self._task, language)
        prompt: list[int] = self._whisper.get_prompt(tokens, [*self._previous, *chunk.context])
        return prompt

    def _attempt(
        self, batch: Batch, prompts: Sequence[list[int]], rows: Sequence[int], beam: int
    ) -> list[tuple[int, Decoded]]:
        """One attempt at some rows; CTranslate2 reads prompts of one length together."""
        groups = defaultdict[int, list[int]](list)
        for row in rows:
            groups[len(prompts[row])].append(row)
        return [
            (row, self._judged(batch.chunks[row], result))
            for group in groups.values()
            for row, result in zip(group, self._generate(batch, prompts, group, beam), strict=True)
        ]

    def _generate(
        self, batch: Batch, prompts: Sequence[list[int]], rows: list[int], beam: int
    ) -> list[ctranslate2.models.WhisperGenerationResult]:
        results: list[ctranslate2.models.WhisperGenerationResult] = self._whisper.model.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(batch.encoded[rows])),
            [prompts[row] for row in rows],
            beam_size=beam,
            max_length=_TEXT_CONTEXT,
            return_scores=True,
            return_no_speech_prob=True,
            max_initial_timestamp_index=_FIRST_TIMESTAMP,
            suppress_tokens=list(self._tokens.non_speech_tokens),
        )
        return results

    def _judged(self, chunk: Chunk, result: ctranslate2.models.WhisperGenerationResult) -> Decoded:
        sampled = result.sequences_ids[0]
        # CTranslate2 divides by the number of tokens, OpenAI counts the end of text as well.
        logprob = result.scores[0] * len(sampled) / (len(sampled) + 1)
        return self._timeline.decoded(chunk, sampled, logprob, result.no_speech_prob)
