"""Beam search: several transcripts of each chunk are followed at once, and the best one wins.

The search of openai/whisper's BeamSearchDecoder (decoding.py) without patience: of all ways to go
on with a chunk's beams the most probable are followed; what ends leaves the search, which is over
when as many have ended as there are beams. The one with the highest log probability a token wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from daemon.asr.mlx_backend.engine import Candidate, Engine
from daemon.asr.mlx_backend.rows import take_cross
from daemon.asr.mlx_backend.whisper import KeysValues

# The tokens of a chunk's best beam → whether to give the chunk up.
Hopeless = Callable[[Sequence[int]], bool]


@dataclass(frozen=True, slots=True)
class Beam:
    """A transcript: its tokens without the end of text, and the sum of its log probabilities."""

    tokens: tuple[int, ...] = ()
    logprob: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """The best transcript of a chunk; `no_speech` is the probability of that token."""

    beam: Beam
    no_speech: float


@dataclass(slots=True)
class _Search:
    """The beams of one chunk, and what has ended."""

    width: int
    eot: int
    hopeless: Hopeless | None = None
    beams: list[Beam] = field(default_factory=lambda: [Beam()])
    ended: list[Beam] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return len(self.ended) >= self.width

    @property
    def ends(self) -> bool:
        return self.over or (self.hopeless is not None and self.hopeless(self.beams[0].tokens))

    def advance(self, following: Sequence[Sequence[Candidate]]) -> list[int]:
        """Go on with the most probable; return for each new beam the number of its old one."""
        ways = sorted(
            (
                (beam.logprob + logprob, number, token)
                for number, (beam, nexts) in enumerate(zip(self.beams, following, strict=True))
                for logprob, token in nexts
            ),
            key=lambda way: -way[0],
        )
        beams, sources = list[Beam](), list[int]()
        for logprob, number, token in ways:
            if token == self.eot:
                if not self.over:
                    self.ended.append(Beam(self.beams[number].tokens, logprob))
                continue
            beams.append(Beam((*self.beams[number].tokens, token), logprob))
            sources.append(number)
            if len(beams) == self.width:
                break
        self.beams = beams
        return sources

    def best(self) -> Beam:
        """The most probable by the token; beams that have not ended fill the places left."""
        open_ = sorted(self.beams, key=lambda beam: -beam.logprob)
        candidates = [*self.ended, *open_[: self.width - len(self.ended)]]
        return max(candidates, key=lambda beam: beam.logprob / max(1, len(beam.tokens)))


def search(
    engine: Engine,
    cross: list[KeysValues],
    prompts: Sequence[Sequence[int]],
    width: int,
    hopeless: Sequence[Hopeless] = (),
) -> list[Found]:
    """`width` beams for each chunk; `cross` as `Engine.encode` gives it, prompts of one length."""
    first, no_speech, own = engine.first_candidates(cross, prompts, width + 1)
    searches = [_Search(width, engine.eot) for _ in prompts]
    for one, given_up in zip(searches, hopeless, strict=False):
        one.hopeless = given_up
    for one, following in zip(searches, first, strict=True):
        one.advance([following])
    own = _take(own, [index for index in range(len(prompts)) for _ in range(width)])
    live, length = list(range(len(prompts))), len(prompts[0])
    heard = engine.for_beams(cross, width)
    for position in range(length, length + engine.room(length) - 1):
        left = [at for at, index in enumerate(live) if not searches[index].ends]
        if not left:
            break
        if len(left) < len(live):
            live, cross = [live[at] for at in left], take_cross(cross, left)
            own = _take(own, [at * width + beam for at in left for beam in range(width)])
            heard = engine.for_beams(cross, width)
        tokens = [beam.tokens for index in live for beam in searches[index].beams]
        nexts, own = engine.next_candidates(tokens, position, own, heard, width + 1)
        sources = [
            at * width + source
            for at, index in enumerate(live)
            for source in searches[index].advance(nexts[at * width : (at + 1) * width])
        ]
        own = _take(own, sources)
    return [Found(one.best(), silence) for one, silence in zip(searches, no_speech, strict=True)]


def _take(own: list[mx.array], rows: Sequence[int]) -> list[mx.array]:
    if list(rows) == list(range(own[0].shape[0])):
        return own
    at = mx.array(list(rows))
    return [kv[at] for kv in own]
