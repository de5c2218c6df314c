"""One line on a terminal that says how far the files are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TextIO

from daemon.domain.job import TERMINAL
from daemon.ledger.ledger import Ledger
from daemon.processes.attempt import Attempt

_WIDTH = 24


class ProgressBar:
    """Draws on a terminal only: elsewhere it says nothing."""

    def __init__(self, stream: TextIO, names: Mapping[int, str]) -> None:
        self._stream = stream
        self._names = names
        self._shown = ""

    def show(self, runs: Sequence[Attempt], ledger: Ledger) -> None:
        if not self._stream.isatty():
            return
        finished = sum(count for stage, count in ledger.counts().items() if stage in TERMINAL)
        working = [run for run in runs if not run.waiting]
        parts = [f"{finished}/{len(self._names)} files", *(_bar(run) for run in working)]
        self._draw("  ".join(parts))

    def close(self) -> None:
        if self._shown:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, line: str) -> None:
        line = line[: shutil.get_terminal_size().columns - 1]
        if line != self._shown:
            self._stream.write("\r" + line.ljust(len(self._shown)))
            self._stream.flush()
            self._shown = line


def _bar(run: Attempt) -> str:
    share = min(1.0, run.done / run.total) if run.total else 0.0
    filled = round(share * _WIDTH)
    return f"{run.job.name} {run.stage} [{'█' * filled}{'·' * (_WIDTH - filled)}] {share:.0%}"
