"""Is a decoded chunk good? OpenAI's three signs, and two that only the detected speech can show.

Thresholds of the three and the temperatures are those of openai/whisper's `transcribe`. The other
two: a few words again and again (zlib does not see that in an otherwise good text), and a text that
is too short for the speech that it claims to be.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # tried in this order until a result is good
ATTEMPTS_BEFORE_HALVES = 1  # at a chunk that can be decoded in two halves instead
REPETITIVE = 2.4  # a text that zlib shrinks further than this goes round in circles
IMPROBABLE = -1.0  # mean natural log probability of a token
GUESS = -0.8  # below which many words are wrong
WILD = -0.9  # a guess at a few seconds of sound: below, Whisper says what is often said
SURE = -0.5  # above which most words are right
BEAMS = 5  # transcripts that are followed at once where the greedy one is not sure
SILENT = 0.6  # probability of the no-speech token

SPARSE = 4.0  # letters a second of speech; slow readers say 8, most people 12 to 16
UNFINISHED = 8.0  # letters a second of a last utterance to whose end no timestamp was written
IMPOSSIBLE = 45.0  # letters a second; nobody says more than 30
LEISURELY, BRISK = 9.0, 17.0  # letters a second; most people are between them
HASTY = 25.0  # letters a second; few people say as many for long
ENOUGH = 3.0  # seconds of speech from which a rate can be told
FRAGMENT = 2.5  # seconds of speech; a fragment is shorter
_LONGEST_CYCLE = 20  # words that a loop goes through before it begins again
_LOOPS = (5, 4, 4)  # how often one word, two or three are said in a row in a loop
_LOOPS_OF_MANY = 3  # and more than three words
_CIRCLE = 24  # tokens that go on with what was a few tokens before, and so will the rest
_CIRCLES = 4  # times, at least


@dataclass(frozen=True, slots=True)
class Decoded:
    """One attempt at one chunk: the sampled tokens, timestamps included, end of text not.

    `speech` is how many seconds of detected speech the tokens stand for. `broken_off`: the only
    utterance has no end, and is too short for the speech that is left to it. `paced`: between all
    utterances nobody speaks, and each fits the speech that it is for, so that one which says the
    same as the one before it was said twice.
    """

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    speech: float = 0.0
    broken_off: bool = False
    paced: bool = False

    @property
    def silent(self) -> bool:
        """There was nothing to hear, whatever the text says."""
        return self.no_speech_prob > SILENT and self.avg_logprob < IMPROBABLE

    @property
    def empty(self) -> bool:
        """What noise is heard as: a guess, or a doubtful word or two for seconds of sound.

        Where little was said, a guess has nothing to hold on to: "Thank you for your time."
        """
        if self.no_speech_prob > SILENT and self.avg_logprob < GUESS:
            return True
        if 0.0 < self.speech < FRAGMENT and self.avg_logprob < WILD:
            return True
        doubtful = self.no_speech_prob > SILENT or self.avg_logprob < IMPROBABLE
        return doubtful and letters(self.text) < SPARSE * self.speech

    @property
    def repetitive(self) -> bool:
        return not self.paced and repetitive(self.text)

    @property
    def sparse(self) -> bool:
        """Its words are too few for the speech that was detected."""
        return self.speech > ENOUGH and letters(self.text) < SPARSE * self.speech

    @property
    def good(self) -> bool:
        if self.silent:
            return True
        poor = self.sparse or self.broken_off or self.avg_logprob < IMPROBABLE
        return not (poor or self.repetitive)

    @property
    def sure(self) -> bool:
        """Good beyond doubt: a transcript without timestamps does not show where nobody speaks."""
        return self.good and self.no_speech_prob <= SILENT and self.avg_logprob >= SURE

    @property
    def doubtful(self) -> bool:
        """There is something to hear, and a search may hear it better."""
        return not (self.sure or self.empty)


def repetitive(text: str) -> bool:
    """Whether `text` goes round in circles."""
    return compression_ratio(text) > REPETITIVE or loops(text)


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes `text`; 0 for no text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def loops(text: str) -> bool:
    """Whether `text` says the same few words several times in a row."""
    words = ["".join(filter(str.isalnum, word)) for word in text.lower().split()]
    if len(words) < _LOOPS[0] < len(text):  # no spaces between words, or hardly any
        words = [character for character in text if character.isalnum()]
    return any(
        _longest_run(words, cycle) >= cycle * (_repeats(cycle) - 1)
        for cycle in range(1, min(_LONGEST_CYCLE, len(words) // 2) + 1)
    )


def circling(tokens: Sequence[int]) -> bool:
    """Whether an unfinished transcript has ended in a loop: its text is not good any more."""
    if len(tokens) <= _CIRCLE:
        return False
    longest = (len(tokens) - 1) // (_CIRCLES + 1)
    return any(
        tokens[-run:] == tokens[-run - cycle : -cycle]
        for cycle in range(1, longest + 1)
        if (run := max(_CIRCLE, _CIRCLES * cycle)) + cycle <= len(tokens)
    )


def _repeats(cycle: int) -> int:
    return _LOOPS[cycle - 1] if cycle <= len(_LOOPS) else _LOOPS_OF_MANY


def _longest_run(words: Sequence[str], cycle: int) -> int:
    """The most words in a row that are the same as the word `cycle` places before them."""
    longest = run = 0
    for before, word in zip(words, words[cycle:], strict=False):
        run = run + 1 if before == word else 0
        longest = max(longest, run)
    return longest


def letters(text: str) -> float:
    """How long `text` takes to say, in letters of an alphabet.

    A digit is a word, and a character of Chinese, Japanese or Korean is a syllable.
    """
    return sum(_weight(character) for character in text if character.isalnum())


def _weight(character: str) -> float:
    if character.isdigit():
        return 4.0
    return 3.0 if unicodedata.east_asian_width(character) in "WF" else 1.0


def more_probable(greedy: Decoded, searched: Decoded) -> Decoded:
    """What beams found, if it is good and the greedy transcript is not, or is less probable."""
    if not searched.good:
        return greedy
    if greedy.good and greedy.avg_logprob >= searched.avg_logprob:
        return greedy
    return searched


def better(first: Decoded | None, second: Decoded) -> Decoded:
    """The one to keep where neither was good: rather improbable than going round in circles.

    The first, at the lowest temperature, of two that are as good.
    """
    if first is None:
        return second
    return max(
        first,
        second,
        key=lambda tried: (
            not tried.repetitive,
            not tried.sparse,
            not tried.broken_off,
            tried.avg_logprob,
        ),
    )
