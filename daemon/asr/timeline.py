"""One file's segments in order of time, however its chunks get finished.

What a chunk's result leaves open is decided here, for every backend: a chunk that came out badly is
decoded again in two halves, and speech that it left unheard is decoded again with its context.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from daemon.asr.chunks import Chunk
from daemon.asr.quality import (
    BRISK,
    ENOUGH,
    FRAGMENT,
    HASTY,
    IMPOSSIBLE,
    LEISURELY,
    SPARSE,
    UNFINISHED,
    Decoded,
    letters,
    repetitive,
)
from daemon.asr.utterances import Reading, Utterance, read_utterances
from daemon.audio import Waveform
from daemon.domain.transcript import Doubt, Segment

_WORTH_LISTENING = 0.5  # seconds of speech left over in a chunk that are decoded again
_LEAST_STEP = 1.0  # seconds that a chunk must have advanced before its rest is decoded
_SHORTEST = 0.02  # seconds; a segment is never empty
_STOP = 0.8  # seconds; in a longer pause Whisper may stop listening
_LEFT = 1.2  # seconds of speech after such a pause that must have words
_IMPRECISE = 0.35  # seconds by which Whisper's timestamps miss a pause
_CONTEXT = 100  # tokens of what was said before that a rest is given


class TextDecoder(Protocol):
    """The part of a tokenizer that turns tokens into text."""

    timestamp_begin: int

    def decode(self, tokens: list[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class _Said:
    """An utterance of a chunk, in the recording's seconds, with the attempt that it comes from."""

    start: float
    end: float
    text: str
    decoded: Decoded
    language: str | None


class Timeline:
    """Collects the decoded chunks of one file and reports their segments in order.

    `foreign` tells the language of a chunk that is not in the file's. `left_out` are the places of
    words that nobody can have said in the time they have.
    """

    def __init__(
        self,
        audio: Waveform,
        chunks: Iterable[Chunk],
        tokens: TextDecoder,
        on_segment: Callable[[Segment], None],
        foreign: Callable[[Chunk], str | None] = lambda chunk: None,
    ) -> None:
        self.segments: list[Segment] = []
        self.left_out: list[Doubt] = []
        self._audio = audio
        self._waiting = sorted(chunks, key=_start)
        self._finished: dict[Chunk, list[_Said]] = {}
        self._replaced: dict[Chunk, _Said] = {}  # what a chunk says if decoding it again is in vain
        self._before_pause: dict[Chunk, _Said] = {}  # what was said before a chunk that was left
        self._tokens = tokens
        self._on_segment = on_segment
        self._foreign = foreign

    @property
    def complete(self) -> bool:
        return not self._waiting

    def decoded(
        self, chunk: Chunk, tokens: Sequence[int], avg_logprob: float, no_speech_prob: float
    ) -> Decoded:
        """An attempt at `chunk`, to be judged."""
        reading = read_utterances(tokens, self._tokens.timestamp_begin, chunk.end - chunk.start)
        return Decoded(
            tokens=tuple(tokens),
            text=self._tokens.decode(list(tokens)).strip(),
            avg_logprob=avg_logprob,
            no_speech_prob=no_speech_prob,
            speech=chunk.speech_until(chunk.start + reading.heard),
            broken_off=len(reading.utterances) == 1
            and chunk.speech_seconds > ENOUGH
            and self._broken_off(chunk, reading),
            paced=self._paced(chunk, reading),
        )

    def add(self, chunk: Chunk, decoded: Decoded) -> list[Chunk]:
        """Take a chunk's result; return what of it is to be decoded next, in order of time."""
        halves = None if decoded.good else chunk.halves(self._audio)
        if halves is not None:
            self._waiting.remove(chunk)
            more = list(halves)
        else:
            said, rest = self._read(chunk, decoded)
            self._finished[chunk] = said
            more = [] if rest is None else [rest]
        for each in more:
            insort(self._waiting, each, key=_start)
        while self._waiting and self._waiting[0] in self._finished:
            for said_once in self._finished.pop(self._waiting.pop(0)):
                self._report(said_once)
        return more

    def _read(self, chunk: Chunk, decoded: Decoded) -> tuple[list[_Said], Chunk | None]:
        """What was said in `chunk`, and the part of it that is to be decoded again."""
        before, paused = self._replaced.pop(chunk, None), self._before_pause.pop(chunk, None)
        reading = read_utterances(
            decoded.tokens, self._tokens.timestamp_begin, chunk.end - chunk.start
        )
        utterances = [] if decoded.silent else list(reading.utterances)
        rest, kept, left_behind = None, len(utterances), self._left_behind(chunk, utterances)
        if utterances:
            start, kept = left_behind or self._resume(chunk, utterances, reading)
            context = [token for utterance in utterances[:kept] for token in utterance.tokens]
            rest = chunk.rest(start, (*chunk.context, *context)[-_CONTEXT:])
        language = self._foreign(chunk)
        said = [
            _said(chunk, utterance, self._text(utterance), decoded, language)
            for utterance in utterances
        ]
        if rest is not None and left_behind is not None:
            self._before_pause[rest] = said[-1]
        elif rest is not None and kept < len(said):
            self._replaced[rest] = said[kept]
        # Dots and notes are what Whisper writes where it hears no words.
        said = [] if decoded.empty else said[:kept]
        said = [one for one in said if letters(one.text) and not self._again(chunk, one)]
        if said and paused and _said_after_all(paused, said[0].text):
            said = said[1:]
        return said or ([before] if before and rest is None else []), rest

    def _resume(
        self, chunk: Chunk, utterances: Sequence[Utterance], reading: Reading
    ) -> tuple[float, int]:
        """Where to decode again, in the recording's seconds, and how many utterances to keep.

        Where the model stopped amid speech, its last utterance is decoded once more, together with
        what follows: a fragment without its beginning would be misheard.
        """
        last, heard = utterances[-1], chunk.start + reading.heard
        start = chunk.start + last.start
        separate = last.start >= _LEAST_STEP
        if reading.unfinished:
            if separate and self._broken_off(chunk, reading):
                return start, len(utterances) - 1
            return chunk.end, len(utterances)
        left = chunk.speech_seconds - chunk.speech_until(heard)
        if left <= _WORTH_LISTENING or reading.heard < _LEAST_STEP:
            return chunk.end, len(utterances)
        if separate and not _at_pause(chunk, heard):
            return start, len(utterances) - 1
        return heard, len(utterances)

    def _left_behind(self, chunk: Chunk, utterances: list[Utterance]) -> tuple[float, int] | None:
        """As `_resume`, where an utterance's words were all said before a pause: it ends there.

        Whisper now and then stops listening in a pause, and gives the last words the time of what
        follows.
        """
        for number, utterance in enumerate(utterances, start=1):
            start, end = chunk.start + utterance.start, chunk.start + utterance.end
            length = letters(self._text(utterance))
            for (_, pause), (again, _) in pairwise(chunk.speech):
                if again - pause < _STOP or not start < pause < again < end:
                    continue
                before = chunk.speech_until(pause) - chunk.speech_until(start)
                after = chunk.speech_until(end) - chunk.speech_until(again)
                if after > _LEFT and LEISURELY * before <= length <= BRISK * before:
                    utterances[number - 1 :] = [replace(utterance, end=pause - chunk.start)]
                    return pause, number
        return None

    def _broken_off(self, chunk: Chunk, reading: Reading) -> bool:
        """Whether the last utterance has no end, and its words are too few for the speech left."""
        if not reading.unfinished:
            return False
        last = reading.utterances[-1]
        speech = chunk.speech_seconds - chunk.speech_until(chunk.start + last.start)
        rate = UNFINISHED if speech > ENOUGH else SPARSE
        return letters(self._text(last)) < rate * speech

    def _paced(self, chunk: Chunk, reading: Reading) -> bool:
        """Whether the detected speech shows that the utterances were said one after another."""
        utterances = reading.utterances
        if reading.unfinished or not utterances:
            return False
        return all(self._fits(chunk, utterance) for utterance in utterances) and all(
            _pauses(chunk, chunk.start + first.end, chunk.start + second.start)
            for first, second in pairwise(utterances)
        )

    def _fits(self, chunk: Chunk, utterance: Utterance) -> bool:
        """Whether an utterance is as long as the speech in its time, and does not loop itself."""
        text = self._text(utterance)
        speech = chunk.speech_until(chunk.start + utterance.end) - chunk.speech_until(
            chunk.start + utterance.start
        )
        return SPARSE * speech <= letters(text) <= HASTY * speech and not repetitive(text)

    def _text(self, utterance: Utterance) -> str:
        return self._tokens.decode(list(utterance.tokens)).strip()

    def _again(self, chunk: Chunk, said: _Said) -> bool:
        """Whether a fragment that begins amid speech only says once more what was said before."""
        if not chunk.context or chunk.speech[0][0] > chunk.start or chunk.speech_seconds > FRAGMENT:
            return False
        return _words(self._tokens.decode(list(chunk.context))).endswith(_words(said.text))

    def _report(self, said: _Said) -> None:
        seconds = said.end - said.start
        if letters(said.text) > IMPOSSIBLE * seconds:
            reason = f"left out: {len(said.text)} characters cannot be said in {seconds:.2f} s"
            self.left_out.append(Doubt(round(said.start, 3), round(said.end, 3), reason))
            return
        segment = Segment(
            id=len(self.segments),
            start=round(said.start, 3),
            end=round(said.end, 3),
            text=said.text,
            avg_logprob=said.decoded.avg_logprob,
            no_speech_prob=said.decoded.no_speech_prob,
            language=said.language,
        )
        self.segments.append(segment)
        self._on_segment(segment)


def _start(chunk: Chunk) -> float:
    return chunk.start


def _said(
    chunk: Chunk, utterance: Utterance, text: str, decoded: Decoded, language: str | None
) -> _Said:
    """An utterance with its times held to the speech that was detected."""
    start, end = chunk.start + utterance.start, min(chunk.start + utterance.end, chunk.end)
    inside = [span for span in chunk.speech if span[0] < end and span[1] > start]
    if inside:
        start, end = max(start, inside[0][0]), min(end, inside[-1][1])
    start = max(chunk.start, min(start, end - _SHORTEST))
    return _Said(start, end, text, decoded, language)


def _at_pause(chunk: Chunk, moment: float) -> bool:
    """Whether nobody speaks at `moment`, as far as Whisper's timestamps are exact."""
    return not any(start + _IMPRECISE < moment < end - _IMPRECISE for start, end in chunk.speech)


def _pauses(chunk: Chunk, end: float, start: float) -> bool:
    """Whether there is a pause between one utterance's `end` and the next one's `start`."""
    return any(
        before < start + _IMPRECISE and after > end - _IMPRECISE
        for (_, before), (after, _) in pairwise(chunk.speech)
    )


def _said_after_all(before: _Said, text: str) -> bool:
    """Whether `text`, heard after a pause, was written before it already.

    Not where it was written twice there, nor where hardly anything else was: it was said again.
    """
    whole, end = _words(before.text), _words(text)
    left = letters(whole) - letters(end)
    once = whole.endswith(end) and not whole.endswith(end * 2)
    return once and left >= SPARSE * (before.end - before.start)


def _words(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
