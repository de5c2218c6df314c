"""Files that grew before our eyes and then cannot be read, or look cut off: the rest may come.

A copy over a network can stand still for minutes, and its writer is on another machine. Only what
was seen to grow is waited for: a broken file that was dropped whole is told at once.
"""

from __future__ import annotations

from pathlib import Path

_FIRST_WAIT = 4.0  # seconds of stillness; each further try doubles it
_REMEMBERED = 10_000  # paths


class UnfinishedFiles:
    """How much longer such a file has to stand still before it is read again."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds  # seconds that a file is waited for in all
        self._grown: dict[Path, None] = {}
        self._waits: dict[Path, float] = {}
        self._spent: dict[Path, float] = {}

    def note_growth(self, path: Path) -> None:
        """The file at `path` has changed since the last look."""
        self._grown[path] = None
        self._waits.pop(path, None)
        self._spent.pop(path, None)
        while len(self._grown) > _REMEMBERED:
            del self._grown[next(iter(self._grown))]

    def wait_for_more(self, path: Path) -> bool:
        """It could not be read, or looks cut off: whether to wait, longer than the last time."""
        spent = self._spent.get(path, 0.0)
        wait = min(self._waits.get(path, _FIRST_WAIT / 2) * 2, self._patience - spent)
        if path not in self._grown or wait <= 0:
            self.forget(path)
            return False
        self._waits[path] = wait
        self._spent[path] = spent + wait
        return True

    def stillness(self, path: Path) -> float:
        """Seconds for which it has to stand still now; 0 if it is not waited for."""
        return self._waits.get(path, 0.0)

    def forget(self, path: Path) -> None:
        self._grown.pop(path, None)
        self._waits.pop(path, None)
        self._spent.pop(path, None)
