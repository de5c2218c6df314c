"""Continuous batching: chunks of any number of files decoded together, finished rows replaced."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from daemon.asr.mlx_backend.attempts import Attempt, BatchSize, Give, Take, TaskT, alike
from daemon.asr.mlx_backend.beam_search import search
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.pressure import MemoryPressure, is_out_of_memory
from daemon.asr.mlx_backend.rows import Rows, take_cross
from daemon.asr.mlx_backend.whisper import KeysValues
from daemon.asr.quality import (
    ATTEMPTS_BEFORE_HALVES,
    BEAMS,
    TEMPERATURES,
    Decoded,
    better,
    more_probable,
)
from daemon.asr.vocabulary import Vocabulary

_STEPS = 4  # tokens between two looks at what is finished,
_FEW = 4  # but every token is looked at in a batch so small that a step more is felt
_REFILL = 4  # rows are replaced once one in so many is free


@dataclass(frozen=True, slots=True)
class _Block(Generic[TaskT]):
    """Steps on their way through the device: tokens (1 + steps, b), scores (2, b)."""

    attempts: tuple[Attempt[TaskT], ...]
    tokens: mx.array
    scores: mx.array


class BatchDecoder(Generic[TaskT]):
    """Decodes greedily, with beams what is in doubt, or all; what fails is sampled, in a row."""

    def __init__(
        self,
        engine: Engine,
        vocabulary: Vocabulary,
        size: BatchSize,
        temperatures: Sequence[float] = TEMPERATURES,
        pressure: MemoryPressure | None = None,
    ) -> None:
        self._engine = engine
        self._temperatures = temperatures
        self._vocabulary = vocabulary
        self._size = size
        self._rows: Rows | None = None
        self._slots: list[Attempt[TaskT]] = []  # who has which row
        self._blocks: deque[_Block[TaskT]] = deque()
        self._pressure = pressure or MemoryPressure()
        self._open: dict[int, TaskT] = {}  # tasks that were taken and have no result, by identity
        self._again: deque[TaskT] = deque()  # those of them that lost their rows

    def run(self, take: Take[TaskT], give: Give[TaskT]) -> None:
        """Decode until `take` has nothing more when every row is finished.

        `take(n)` returns at most n tasks that are ready now; `give` gets each result, in the order
        in which they finish, and may make `take` return more. Where memory runs short, the batch
        is halved, and what lost its rows is decoded anew.
        """
        supply, deliver = partial(self._take, take), partial(self._give, give)
        while True:
            try:
                if not self._advance(supply, deliver):
                    return
            except (RuntimeError, MemoryError) as error:
                if self._size.rows == 1 or not is_out_of_memory(error):
                    raise
                self._start_over()

    def _advance(self, take: Take[TaskT], give: Give[TaskT]) -> bool:
        """Some steps of every row; False when there is nothing to decode."""
        if self._pressure.asks_for_less():
            self._halve()
        self._refill(take, give)
        if self._rows is None:
            return False
        self._launch(self._rows)
        # The device works on one block while the host reads the one before.
        while len(self._blocks) > (1 if self._live() else 0):
            self._read(self._blocks.popleft(), give)
        return True

    def _take(self, take: Take[TaskT], most: int) -> Sequence[TaskT]:
        tasks = [self._again.popleft() for _ in range(min(most, len(self._again)))]
        if len(tasks) < most:
            tasks.extend(take(most - len(tasks)))
        self._open |= {id(task): task for task in tasks}
        return tasks

    def _give(self, give: Give[TaskT], task: TaskT, decoded: Decoded) -> None:
        del self._open[id(task)]
        give(task, decoded)

    def _halve(self) -> None:
        rows = max(1, self._size.rows // 2)
        if rows < self._size.rows:
            sys.stderr.write(f"memory is short: {rows} rows instead of {self._size.rows}\n")
        self._size = BatchSize(rows, min(self._size.encoded, rows))

    def _start_over(self) -> None:
        """With half the rows, and all tasks that have no result yet."""
        self._halve()
        self._rows, self._slots = None, []
        self._blocks.clear()
        self._again = deque(self._open.values())
        mx.clear_cache()

    def _live(self) -> list[int]:
        return [index for index, attempt in enumerate(self._slots) if not attempt.finished]

    def _refill(self, take: Take[TaskT], give: Give[TaskT]) -> None:
        live = len(self._live())
        free = self._size.rows - live
        if live and free * _REFILL < self._size.rows:
            return
        while free > 0 and (tasks := take(min(free, self._size.encoded))):
            free -= self._insert(tasks, give)
        self._shrink()

    def _insert(self, tasks: Sequence[TaskT], give: Give[TaskT]) -> int:
        """Begin with `tasks`; return how many rows they take."""
        cross = self._engine.encode([task.samples for task in tasks])
        prompts = [
            task.prompt(partial(self._languages, cross, index)) for index, task in enumerate(tasks)
        ]
        placed = 0
        for group in alike([(len(p), t.beams) for p, t in zip(prompts, tasks, strict=True)]):
            attempts = [self._first(tasks[index], prompts[index]) for index in group]
            heard = cross if len(group) == len(tasks) else take_cross(cross, group)
            if (width := attempts[0].task.beams) > 1:
                found = zip(attempts, self._search(attempts, heard, width), strict=True)
                failed = [at for at, end in enumerate(found) if not self._settle(*end, give)]
                if not failed:
                    continue
                attempts = [attempts[at].again() for at in failed]
                heard = take_cross(heard, failed)
            self._place(attempts, self._begin(attempts, heard))
            placed += len(attempts)
        return placed

    def _first(self, task: TaskT, prompt: Sequence[int]) -> Attempt[TaskT]:
        return Attempt(task, prompt, plain=self._vocabulary.is_plain(prompt))

    def _search(
        self, attempts: Sequence[Attempt[TaskT]], cross: list[KeysValues], width: int
    ) -> list[Decoded]:
        """What `width` beams find, a batch's rows at a time; all prompts are of one length."""
        most = max(1, self._size.rows // width)
        searched: list[Decoded] = []
        for first in range(0, len(attempts), most):
            part = attempts[first : first + most]
            heard = take_cross(cross, range(first, first + len(part)))
            hopeless = [attempt.loops for attempt in part]
            found = search(self._engine, heard, [one.prompt for one in part], width, hopeless)
            for attempt, best in zip(part, found, strict=True):
                judged = attempt.judged(best.beam.tokens, best.beam.logprob, best.no_speech)
                searched.append(judged)
        return searched

    def _languages(self, cross: list[KeysValues], index: int) -> Mapping[str, float]:
        return self._engine.language_probabilities(take_cross(cross, [index]))

    def _begin(self, attempts: Sequence[Attempt[TaskT]], cross: list[KeysValues]) -> Rows:
        for attempt in attempts:
            attempt.position = len(attempt.prompt)
        return self._engine.begin(
            cross,
            [attempt.prompt for attempt in attempts],
            [self._temperatures[attempt.number] for attempt in attempts],
            [attempt.seed for attempt in attempts],
        )

    def _place(self, attempts: Sequence[Attempt[TaskT]], begun: Rows) -> None:
        live = self._live()
        free = [index for index in range(len(self._slots)) if index not in live]
        if self._rows is None or not live:
            self._rows, self._slots = begun, list(attempts)
        elif len(free) >= len(attempts):
            self._replace(free[: len(attempts)], attempts, begun)
        else:
            self._rows = self._rows.take(live).join(begun)
            self._slots = [*(self._slots[index] for index in live), *attempts]

    def _replace(
        self, slots: Sequence[int], attempts: Sequence[Attempt[TaskT]], begun: Rows
    ) -> None:
        assert self._rows is not None
        self._rows.put(slots, begun)
        for slot, attempt in zip(slots, attempts, strict=True):
            self._slots[slot] = attempt

    def _shrink(self) -> None:
        """Halve the batch when less than half of it is at work."""
        live = self._live()
        if not live:
            self._rows, self._slots = None, []
        elif self._rows is not None and len(live) <= len(self._slots) // 2:
            finished = [index for index in range(len(self._slots)) if index not in live]
            kept = (live + finished)[: -(-len(self._slots) // 2)]
            self._rows = self._rows.take(kept)
            self._slots = [self._slots[index] for index in kept]

    def _launch(self, rows: Rows) -> None:
        live = [self._slots[index] for index in self._live()]
        steps = 1 if len(rows) <= _FEW else _STEPS
        rows.grow(max(attempt.position for attempt in live) + steps)
        tokens = [rows.scalars["last"]]
        for _ in range(steps):
            self._engine.step(rows, sample=any(attempt.number for attempt in live))
            tokens.append(rows.scalars["last"])
        for attempt in live:
            attempt.position += steps
        scores = mx.stack([rows.scalars["logprob"], rows.scalars["no_speech"]])
        block = _Block(tuple(self._slots), mx.stack(tokens), scores)
        mx.async_eval(block.tokens, block.scores)  # type: ignore[no-untyped-call]
        self._blocks.append(block)

    def _read(self, block: _Block[TaskT], give: Give[TaskT]) -> None:
        tokens: NDArray[np.int32] = np.array(block.tokens)
        scores: NDArray[np.float32] = np.array(block.scores)
        ended: dict[Attempt[TaskT], Decoded] = {}
        for column, attempt in enumerate(block.attempts):
            if attempt.finished:
                continue
            # A block begins with the token before it, which is new only after the prompt.
            new = tokens[1 if attempt.tokens else 0 :, column].tolist()
            room = self._engine.room(len(attempt.prompt))
            attempt.extend(new, self._vocabulary.eot, room)
            if not attempt.finished:
                self._stop_if_looping(attempt)
            if attempt.finished:
                ended[attempt] = attempt.judged(attempt.tokens, *scores[:, column].tolist())
        self._search_again(ended)
        self._retry([one for one, found in ended.items() if not self._settle(one, found, give)])

    def _search_again(self, ended: dict[Attempt[TaskT], Decoded]) -> None:
        """Replace greedy transcripts that are in doubt by better ones that beams find."""
        doubted = [
            attempt
            for attempt, decoded in ended.items()
            if decoded.doubtful and not attempt.number and attempt.task.beams == 1
        ]
        for group in alike([len(attempt.prompt) for attempt in doubted]):
            assert self._rows is not None
            attempts = [doubted[index] for index in group]
            slots = [self._slots.index(attempt) for attempt in attempts]
            found = self._search(attempts, take_cross(self._rows.cross, slots), BEAMS)
            for attempt, searched in zip(attempts, found, strict=True):
                ended[attempt] = more_probable(ended[attempt], searched)

    def _settle(self, attempt: Attempt[TaskT], decoded: Decoded, give: Give[TaskT]) -> bool:
        """Give a finished attempt's transcript if it will do; False: to be tried again."""
        if attempt.plain:
            if decoded.sure:
                give(attempt.task, decoded)
            return decoded.sure
        attempt.best = decoded if decoded.good else better(attempt.best, decoded)
        settled = decoded.good or attempt.number + 1 >= self._most_attempts(attempt.task)
        if settled:
            give(attempt.task, attempt.best)
        return settled

    def _stop_if_looping(self, attempt: Attempt[TaskT]) -> None:
        if attempt.loops(attempt.tokens):
            assert self._rows is not None
            attempt.finished = True
            self._rows.scalars["done"][self._slots.index(attempt)] = True

    def _most_attempts(self, task: TaskT) -> int:
        """What can be decoded in two halves is not sampled at ever higher temperatures."""
        most = len(self._temperatures)
        return min(most, ATTEMPTS_BEFORE_HALVES) if task.divisible else most

    def _retry(self, failed: Sequence[Attempt[TaskT]]) -> None:
        """Begin again in the same rows; the audio is not encoded again."""
        again = [attempt.again() for attempt in failed]
        for group in alike([len(attempt.prompt) for attempt in again]):
            assert self._rows is not None
            slots = [self._slots.index(failed[index]) for index in group]
            following = [again[index] for index in group]
            cross = take_cross(self._rows.cross, slots)
            self._replace(slots, following, self._begin(following, cross))
