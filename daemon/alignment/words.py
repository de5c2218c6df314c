"""From a segment's text to characters to listen for, and from their times back to words.

The rules are WhisperX's, but that numbers and symbols are listened for as they are said. Any other
character outside the model's alphabet (a foreign script) is a wildcard: it takes whatever was said
between its neighbours. A word of wildcards only has times, but nothing was recognised: it counts as
interpolated, with score 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from daemon.alignment.spoken import Reading, is_ambiguous, spoken
from daemon.alignment.viterbi import IntArray, Path, Spelling
from daemon.audio import FloatArray
from daemon.domain.transcript import Segment, Word, WordSource

_WILDCARD = -1  # as a token: the last column of the emission that `spell` extends
_SPACE = "|"  # what wav2vec2 alphabets write between words


@dataclass(frozen=True, slots=True)
class Alphabet:
    """A model's characters, and how its language is written.

    `tokens` maps lower-case characters to columns of the emission. In a language that is not
    `spaced` (Japanese, Chinese) each character is a word. `language` is its code; without one,
    numbers are wildcards.
    """

    tokens: Mapping[str, int]
    spaced: bool
    language: str = ""

    @property
    def blank(self) -> int:
        """The column of CTC's blank."""
        found = [code for token, code in self.tokens.items() if token in ("[pad]", "<pad>")]
        return found[-1] if found else 0


@dataclass(frozen=True, slots=True)
class Script:
    """What the model listens for in a segment.

    `tokens` has one entry for each character that is listened for; `words` are the segment's words
    with the range of these characters that they are made of.
    """

    tokens: IntArray
    words: tuple[tuple[str, slice], ...]


def read_scripts(text: str, alphabet: Alphabet) -> list[Script]:
    """Every way in which `text` may have been said: its numbers can be read in several ways."""
    readings = list(Reading) if is_ambiguous(text) and alphabet.language else [Reading.NUMBER]
    scripts: list[Script] = []
    for reading in readings:
        script = read_script(text, alphabet, reading)
        if not any(np.array_equal(script.tokens, known.tokens) for known in scripts):
            scripts.append(script)
    return scripts


def read_script(text: str, alphabet: Alphabet, reading: Reading = Reading.NUMBER) -> Script:
    """Split `text` into words, and its words into tokens; empty where there is only space."""
    tokens: list[int] = []
    words: list[tuple[str, slice]] = []
    between = alphabet.tokens.get(_SPACE) if alphabet.spaced else None
    for word in _split(text, alphabet.spaced):
        if words and between is not None:
            tokens.append(between)
        first = len(tokens)
        tokens += _tokens(word, alphabet, reading)
        words.append((word, slice(first, len(tokens))))
    return Script(np.array(tokens, np.int64), tuple(words))


def _tokens(word: str, alphabet: Alphabet, reading: Reading) -> list[int]:
    said = spoken(word, alphabet.language, reading) if alphabet.language else word
    between = alphabet.tokens.get(_SPACE, _WILDCARD)
    return [
        between if character == " " else alphabet.tokens.get(character.lower(), _WILDCARD)
        for character in (said if alphabet.spaced else said.replace(" ", ""))
    ]


def _split(text: str, spaced: bool) -> Iterator[str]:
    words = text.split()
    return iter(words) if spaced else (character for word in words for character in word)


def spell(script: Script, emission: FloatArray, blank: int) -> Spelling:
    """Give the wildcards a column of their own: in each frame, the best that is not the blank."""
    if not (script.tokens == _WILDCARD).any():
        return Spelling(emission, script.tokens)
    heard = np.delete(emission, blank, axis=1).max(axis=1, keepdims=True)
    return Spelling(np.concatenate([emission, heard], axis=1), script.tokens)


def place_words(
    segment: Segment, script: Script, path: Path, frames: int, blank: int
) -> tuple[Word, ...]:
    """The words with their times: `frames` frames of equal length fill the segment."""
    seconds = (segment.end - segment.start) / frames
    edges = [*path.starts.tolist(), path.end]
    times = [round(edge * seconds + segment.start, 3) for edge in edges]
    heard = ((script.tokens != _WILDCARD) & (script.tokens != blank)).tolist()
    scores = path.scores.round(3).tolist()
    placed: list[Word] = []
    for word, span in script.words:
        start, end = times[span.start], times[span.stop]
        if any(heard[span]):
            score = round(fmean(scores[span]), 3)
            placed.append(Word(word, start, end, score, WordSource.ALIGNED))
        else:
            placed.append(Word(word, start, end, 0.0, WordSource.INTERPOLATED))
    return tuple(placed)
