"""Voices that have a name: a person who was named once is named again, in other recordings.

Only where speakers.remember is set. What is kept describes voices, and a voice tells who somebody
is: the file is this user's alone, and `dropscribe speakers forget` removes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemon.domain.speakers import Diarization
from daemon.domain.validation import Count, Finite, Line, from_json, to_json
from daemon.files.atomic import write_json
from daemon.files.state_folder import VOICES

# Cosine from which two voices are one person's. Of 997 pairs of different people's voices in real
# recordings the most alike had 0.59, so none was taken for another. The pairs come from some twenty
# people, and the threshold was chosen on them: that is no bound on the rate elsewhere.
ALIKE = 0.7
LEAST_SECONDS = 3.0  # of speech, below which a voice is not compared
_PEOPLE = 500
_RECENT = 50  # jobs whose voices can be named
_MOST_TIMES = 10  # recordings that a person's mean voice is made of; then it moves slowly

Embedding = tuple[Finite, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """`voice` is the unit vector of a mean over so many recordings."""

    name: Line
    voice: Embedding
    times: Count = 1


@dataclass(slots=True)
class KnownVoices:
    """The people, by name, and the voices of recent jobs, by job and in the order of speakers."""

    people: dict[Line, Person] = field(default_factory=dict)
    recent: dict[Line, tuple[Embedding, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, state: Path) -> KnownVoices:
        """What is kept in the state folder: nothing, if there is no such file or it is broken."""
        try:
            return from_json(cls, (state / VOICES).read_bytes())
        except (OSError, ValueError):
            return cls()

    def save(self, state: Path) -> None:
        """Raises OSError."""
        write_json(state / VOICES, to_json(self))

    def names(self, diarization: Diarization) -> tuple[str, ...]:
        """The known name of each speaker, or "": each name goes to the voice most like it."""
        seconds = _seconds(diarization)
        found = ["" for _ in diarization.voices]
        pairs = sorted(
            (-_cosine(voice.embedding, person.voice), number, person.name)
            for number, voice in enumerate(diarization.voices)
            if voice.embedding and seconds[number] >= LEAST_SECONDS
            for person in self.people.values()
        )
        for alike, number, name in pairs:
            if -alike >= ALIKE and not found[number] and name not in found:
                found[number] = name
        return tuple(found)

    def note(self, job: int, diarization: Diarization) -> None:
        """Keep a job's voices for a while: somebody may name them."""
        voices = tuple(voice.embedding for voice in diarization.voices)
        if any(voices):
            self.recent.pop(str(job), None)
            self.recent[str(job)] = voices
        while len(self.recent) > _RECENT:
            del self.recent[next(iter(self.recent))]

    def learn(self, job: int, given: Mapping[int, str]) -> list[str]:
        """Remember the voices of a job's speakers, numbered from 1; return whose are not kept."""
        voices = self.recent.get(str(job), ())
        missed = []
        for number, name in given.items():
            voice = voices[number - 1] if number <= len(voices) else ()
            if not voice:
                missed.append(name)
                continue
            known = self.people.get(name)
            if known is not None:
                times = min(known.times, _MOST_TIMES)
                sums = [times * old + new for old, new in zip(known.voice, voice, strict=True)]
                self.people[name] = replace(known, voice=_unit(sums), times=known.times + 1)
            elif len(self.people) < _PEOPLE:
                self.people[name] = Person(name, voice)
        return missed


def forget(state: Path, name: str | None) -> bool:
    """Forget a person, or all of them and every job's voices; False if there was nothing."""
    path = state / VOICES
    if name is None:
        there = path.exists()
        path.unlink(missing_ok=True)
        return there
    known = KnownVoices.load(state)
    if known.people.pop(name, None) is None:
        return False
    known.recent.clear()  # they hold that voice as well
    known.save(state)
    return True


def _seconds(diarization: Diarization) -> Sequence[float]:
    seconds = [0.0 for _ in diarization.voices]
    for turn in diarization.turns:
        seconds[turn.speaker] += turn.end - turn.start
    return seconds


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Of unit vectors; -1 where they are not of one kind."""
    if len(one) != len(other):
        return -1.0
    return sum(a * b for a, b in zip(one, other, strict=True))


def _unit(vector: Sequence[float]) -> Embedding:
    norm = max(math.hypot(*vector), 1e-9)
    return tuple(value / norm for value in vector)
