"""Whose word is it, and how many speak: in conversations made of real voices.

    python scripts/speaker_conversations.py VOICE VOICE … [--each 4] [--seed 0]

Each VOICE is a recording of one person, or several joined by "+". Conversations of 2 to 5 of them
take turns of at most 9 s at loudnesses up to 8 dB apart; in every second one, a quarter of the
turns begin up to 1.2 s before the last has ended. What counts as a word is a third of a second of
speech, where the voice is within 30 dB of its loudest; the words' speakers are those that a
delivered transcript would name.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from scipy.optimize import linear_sum_assignment

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.clustering import Count
from daemon.diarization.diarizer import arrange, listen
from daemon.diarization.networks import Networks
from daemon.diarization.windows import BoolArray, runs
from daemon.domain.transcript import Segment, Word, WordSource
from daemon.models import registry
from daemon.outbox.attribution import attribute
from tests.kit import speakers
from tests.kit.speakers import Spoken

_STEP = SAMPLE_RATE // 100  # samples that loudness is measured over
_WORD = 33  # steps
_LOUD = 0.05  # root mean square of a voice's speech
_WITHIN = 30.0  # dB under the loudest that is speech still
_SECONDS = 75.0
_LONGEST = 900  # steps of a turn
_OVERLAPPING = 0.25  # share of turns
_PAUSE = 25  # steps of silence that end one

Part = tuple[FloatArray, BoolArray]  # samples of a turn, and where there is speech in it


def main() -> None:
    """Print a line for each number of speakers, and one for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("voices", nargs="+")
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    voices = {name: _parts(name) for name in given.voices}
    networks = Networks(registry.BUNDLED / "speakers")
    total = np.zeros(4, np.int64)
    for size in range(2, min(5, len(voices)) + 1):
        found = np.zeros(4, np.int64)
        for number in range(given.each):
            chance = random.Random(f"{given.seed} {size} {number}")
            chosen = chance.sample(sorted(voices), size)
            audio, words = _conversation({name: voices[name] for name in chosen}, number, chance)
            found += (*_judged(networks, audio, words), 1)
        _show(f"{size} voices", found)
        total += found
    _show("all", total)


def _show(what: str, found: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    right, words, counted, conversations = found.tolist()
    print(f"{what:9} {right / words:6.1%} of {words} words, count right {counted}/{conversations}")


def _parts(voice: str) -> list[Part]:
    """The turns that a voice has to say."""
    parts: list[Part] = []
    for name in voice.split("+"):
        audio = speakers.samples(Path(name))
        steps = audio[: len(audio) // _STEP * _STEP].reshape(-1, _STEP)
        level = 10 * np.log10((steps**2).mean(axis=1) + 1e-12)
        loud = (level > np.percentile(level, 95) - _WITHIN).astype(np.float64)
        speech = np.asarray(np.convolve(loud, np.ones(7), "same") > 2)
        audio = audio * _LOUD / np.sqrt((steps[speech] ** 2).mean())
        for first, end in _turns(speech):
            parts.append((audio[first * _STEP : end * _STEP], speech[first:end]))
    return parts


def _turns(speech: BoolArray) -> list[tuple[int, int]]:
    """(first, end) in steps: what pauses divide, and not longer than a turn may be."""
    joined: list[tuple[int, int]] = []
    for first, end in runs(speech):
        if joined and first - joined[-1][1] < _PAUSE and end - joined[-1][0] <= _LONGEST:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, min(end, first + _LONGEST)))
    return [(first, end) for first, end in joined if end - first >= 2 * _WORD]


def _conversation(
    voices: dict[str, list[Part]], number: int, chance: random.Random
) -> tuple[FloatArray, list[Spoken]]:
    """The samples and the words; each voice says what it has in any order, once."""
    left = {name: chance.sample(parts, len(parts)) for name, parts in voices.items()}
    gains = {name: 10 ** (chance.uniform(-4, 4) / 20) for name in voices}
    audio = np.zeros(int((_SECONDS + 30) * SAMPLE_RATE), np.float32)
    words: list[Spoken] = []
    first, last, at = chance.sample(sorted(voices), len(voices)), "", 0.4
    while at < _SECONDS and (able := [name for name in sorted(left) if left[name]]):
        name = first.pop() if first else chance.choice([n for n in able if n != last] or able)
        part, speech = left[name].pop()
        overlaps = bool(last) and number % 2 == 1 and chance.random() < _OVERLAPPING
        at += chance.uniform(-1.2, -0.3) if overlaps else chance.uniform(0.1, 0.7)
        start = int(max(at, 0.0) * SAMPLE_RATE)
        audio[start : start + len(part)] += part * gains[name]
        for begin, end in runs(speech):
            count = max(1, round((end - begin) / _WORD))
            if end - begin < _WORD // 4:
                continue
            edges = start / SAMPLE_RATE + np.linspace(begin, end, count + 1) / 100
            words += [(float(edges[i]), float(edges[i + 1]), name) for i in range(count)]
        last, at = name, start / SAMPLE_RATE + len(speech) / 100
    noise = np.random.default_rng(number).normal(scale=3e-4, size=len(audio))
    return (audio + noise).astype(np.float32)[: int((at + 0.5) * SAMPLE_RATE)], sorted(words)


def _judged(networks: Networks, audio: FloatArray, words: list[Spoken]) -> tuple[int, int, bool]:
    """Words right, all words, and whether as many voices were found as there are."""
    heard = listen(
        lambda start, end: audio[start:end], len(audio), networks, Count(), lambda *_: None
    )
    turns, voices = arrange(heard, Count())
    said = tuple(
        Word(str(number), start, end, 1.0, WordSource.ALIGNED)
        for number, (start, end, _) in enumerate(words)
    )
    text = " ".join(word.word for word in said)
    whole = Segment(0, said[0].start, said[-1].end, text, 0, 0, said)
    names = [str(number) for number in range(len(voices))]
    truth = sorted({name for _, _, name in words})
    both = np.zeros((len(truth), max(1, len(names))), np.int64)
    for segment in attribute([whole], turns, names):
        for word in segment.words:
            if segment.speaker is not None:
                both[truth.index(words[int(word.word)][2]), int(segment.speaker)] += 1
    right = int(both[linear_sum_assignment(-both)].sum())
    return right, len(words), len(voices) == len(truth)


if __name__ == "__main__":
    main()
