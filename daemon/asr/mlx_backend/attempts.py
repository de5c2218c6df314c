"""What the batch decoder is given, and the attempts that it makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from daemon.asr.quality import Decoded, circling
from daemon.audio import FloatArray, Int16Array


class Task(Protocol):
    """A chunk to decode."""

    @property
    def samples(self) -> FloatArray | Int16Array:
        """16 kHz mono, at most 30 s."""
        ...

    @property
    def seed(self) -> int:
        """Makes sampling repeatable: the same for a chunk, whatever is decoded beside it."""
        ...

    @property
    def beams(self) -> int:
        """How many transcripts of it are followed at once; 1: decode greedily."""
        ...

    def prompt(self, detect: Callable[[], Mapping[str, float]]) -> Sequence[int]:
        """The tokens before the transcript; `detect` hears how probable each language is."""
        ...

    @property
    def divisible(self) -> bool:
        """Whether it can be decoded in two halves, where an attempt has failed."""
        ...

    def decoded(self, tokens: Sequence[int], avg_logprob: float, no_speech_prob: float) -> Decoded:
        """What an attempt sampled, to be judged."""
        ...


TaskT = TypeVar("TaskT", bound=Task)
Take = Callable[[int], Sequence[TaskT]]  # at most so many tasks that are ready now
Give = Callable[[TaskT, Decoded], None]  # a task's result


@dataclass(frozen=True, slots=True)
class BatchSize:
    """How many chunks are decoded together, and how many of them are encoded at a time."""

    rows: int
    encoded: int


@dataclass(slots=True, eq=False)
class Attempt(Generic[TaskT]):
    """One attempt at one chunk. `plain`: its prompt asks for a transcript without timestamps."""

    task: TaskT
    prompt: Sequence[int]
    number: int = 0
    best: Decoded | None = None
    tokens: list[int] = field(default_factory=list)
    position: int = 0
    finished: bool = False
    plain: bool = False

    @property
    def seed(self) -> tuple[int, int]:
        return self.number, self.task.seed

    def again(self) -> Attempt[TaskT]:
        """The same chunk, with timestamps if it had none, else one temperature higher."""
        if self.plain:
            return Attempt(self.task, self.prompt[:-1])
        return Attempt(self.task, self.prompt, self.number + 1, self.best)

    def loops(self, tokens: Sequence[int]) -> bool:
        """What goes round in circles has failed, however many tokens are still to come."""
        return circling(tokens) and self.task.decoded(tokens, 0.0, 0.0).repetitive

    def judged(self, tokens: Sequence[int], logprob: float, no_speech: float) -> Decoded:
        """The transcript that was found; `logprob` is the sum over it and the end of text."""
        return self.task.decoded(tokens, logprob / (len(tokens) + 1), no_speech)

    def extend(self, tokens: Sequence[int], eot: int, room: int) -> None:
        """Add what was sampled, as far as the end of text or `room` tokens."""
        for token in tokens:
            if token == eot:
                self.finished = True
                return
            self.tokens.append(token)
            if len(self.tokens) == room:
                self.finished = True
                return


def alike(kinds: Sequence[Hashable]) -> list[list[int]]:
    """The indices of equal `kinds`, together: prompts of one length are read together."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, kind in enumerate(kinds):
        groups[kind].append(index)
    return list(groups.values())
