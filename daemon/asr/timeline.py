"""One file's segments in order of time, however its chunks get finished."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import Protocol

from daemon.asr.chunks import Chunk
from daemon.asr.quality import Decoded
from daemon.asr.utterances import Utterance, read_utterances
from daemon.domain.transcript import Segment

_WORTH_LISTENING = 0.5  # seconds of speech left over in a chunk that are decoded again
_LEAST_STEP = 1.0  # seconds that a chunk must have advanced before its rest is decoded
_SHORTEST = 0.02  # seconds; a segment is never empty


class TextDecoder(Protocol):
    """The part of a tokenizer that turns tokens into text."""

    timestamp_begin: int

    def decode(self, tokens: list[int]) -> str: ...


class Timeline:
    """Collects the decoded chunks of one file and reports their segments in order."""

    def __init__(
        self,
        chunks: Iterable[Chunk],
        tokens: TextDecoder,
        on_segment: Callable[[Segment], None],
    ) -> None:
        self.segments: list[Segment] = []
        self._waiting = sorted(chunks, key=_start)
        self._finished: dict[Chunk, tuple[Decoded, tuple[Utterance, ...]]] = {}
        self._tokens = tokens
        self._on_segment = on_segment

    @property
    def complete(self) -> bool:
        return not self._waiting

    def add(self, chunk: Chunk, decoded: Decoded) -> Chunk | None:
        """Take a chunk's result; return what is left of the chunk to be decoded, if anything."""
        reading = read_utterances(
            decoded.tokens, self._tokens.timestamp_begin, chunk.end - chunk.start
        )
        self._finished[chunk] = (decoded, () if decoded.silent else reading.utterances)
        rest = None if decoded.silent else _rest(chunk, reading.heard)
        if rest is not None:
            insort(self._waiting, rest, key=_start)
        while self._waiting and self._waiting[0] in self._finished:
            self._report(self._waiting.pop(0))
        return rest

    def _report(self, chunk: Chunk) -> None:
        decoded, utterances = self._finished.pop(chunk)
        for utterance in utterances:
            text = self._tokens.decode(list(utterance.tokens)).strip()
            if not text:
                continue
            end = min(chunk.start + utterance.end, chunk.end)
            start = max(chunk.start, min(chunk.start + utterance.start, end - _SHORTEST))
            segment = Segment(
                id=len(self.segments),
                start=round(start, 3),
                end=round(end, 3),
                text=text,
                avg_logprob=decoded.avg_logprob,
                no_speech_prob=decoded.no_speech_prob,
            )
            self.segments.append(segment)
            self._on_segment(segment)


def _start(chunk: Chunk) -> float:
    return chunk.start


def _rest(chunk: Chunk, heard: float) -> Chunk | None:
    rest = chunk.rest(chunk.start + heard)
    if rest is None or heard < _LEAST_STEP:
        return None
    return rest if sum(end - start for start, end in rest.speech) > _WORTH_LISTENING else None
