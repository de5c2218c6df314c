"""Whose chunks are decoded next, where several files are open: a memo does not wait for a book."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

FileT = TypeVar("FileT")
TaskT = TypeVar("TaskT")


@dataclass(slots=True, eq=False)
class Turn(Generic[FileT, TaskT]):
    """A file's chunks that wait. `due` counts chunks: when it could be done, begun at once."""

    file: FileT
    due: int
    waiting: deque[TaskT]

    def put_back(self, tasks: Iterable[TaskT]) -> None:
        """What a chunk's result left open comes next in its file."""
        self.waiting.extendleft(reversed(list(tasks)))


class FairTurns(Generic[FileT, TaskT]):
    """Shortest file first with ageing: a file that waited for as long as its own work goes first.

    That is earliest-deadline-first scheduling, with the deadline of a file that is alone.
    """

    def __init__(self) -> None:
        self._turns: list[Turn[FileT, TaskT]] = []
        self._taken = 0

    def open(self, file: FileT, tasks: Collection[TaskT]) -> Turn[FileT, TaskT]:
        """Take a file in."""
        turn = Turn(file, self._taken + len(tasks), deque(tasks))
        self._turns.append(turn)
        return turn

    def close(self, turn: Turn[FileT, TaskT]) -> None:
        """All of the file has been decoded."""
        self._turns.remove(turn)

    def first(self) -> Turn[FileT, TaskT] | None:
        """The file whose turn it is; None if no chunk waits."""
        ready = [turn for turn in self._turns if turn.waiting]
        return min(ready, key=lambda turn: turn.due, default=None)

    def take(self, turn: Turn[FileT, TaskT], most: int) -> list[TaskT]:
        """The next chunks of `turn`, at most `most`."""
        taken = [turn.waiting.popleft() for _ in range(min(most, len(turn.waiting)))]
        self._taken += len(taken)
        return taken
