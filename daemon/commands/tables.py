"""What commands show: tables of what was done, and a progress bar while it is done.

rich draws on a terminal and is imported only for one; a pipe gets plain lines.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from daemon.bench import cpu_speed
from daemon.domain.job import TERMINAL
from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.files.state_folder import TIMING_SUFFIX
from daemon.outbox.summary import clock, work_seconds

if TYPE_CHECKING:
    from rich.progress import TaskID

    from daemon.ledger.ledger import Ledger
    from daemon.processes.attempt import Attempt
    from daemon.service.checks import Finding


def read_delivery(outbox: Path, stem: str) -> tuple[Json, Json]:
    """The two documents of a delivery: NAME.json and NAME.timing.json."""
    document: Json = json.loads((outbox / f"{stem}.json").read_bytes())
    timing: Json = json.loads((outbox / f"{stem}.{TIMING_SUFFIX}").read_bytes())
    return document, timing


def summary(name: str, outbox: Path, stem: str, why: str = "") -> str:
    """What was done, by what, how fast, and where it lies; `why` the backend was chosen."""
    document, timing = read_delivery(outbox, stem)
    provenance, alignment, stages = document["provenance"], document["alignment"], timing["stages"]
    work = work_seconds(stages)
    waited = timing["total_seconds"] - work
    child = stages["align"]
    speed = document["duration"] / work
    compared = cpu_speed.compared(provenance["model"], speed) if _on_gpu(provenance) else ""
    endings = [path.name.removeprefix(Path(stem).name) for path in outputs(outbox, stem)]
    faster = f", {compared}" if compared else ""
    words = sum(len(segment["words"]) for segment in document["segments"])
    reason = f" ({alignment['reason']})" if alignment["reason"] else ""
    aligned = f"{child['seconds']:.1f} s, child process {child['exit']}{_memory(child)}, "
    aligned = "" if child["exit"] == "skipped" else f"{aligned}{words} words, "
    rows = {
        "backend": provenance["backend"] + (f" ({why})" if why else ""),
        "device": provenance["device"],
        "model": provenance["model"],
        "language": f"{document['language']} ({document['language_probability']:.0%} sure)"
        + (", translated into English" if provenance["options"].get("task") else ""),
        "transcription": f"{stages['transcribe']['seconds']:.1f} s,"
        f" {len(document['segments'])} segments",
        "alignment": f"{aligned}{alignment['status']}{reason}",
        "total": f"{work:.1f} s of work" + (f", {waited:.1f} s waited" if waited >= 0.1 else ""),
        "speed": f"{speed:.1f} × real time ({clock(document['duration'])} of audio){faster}",
    }
    told = [row(f"  {key}", value, 17) for key, value in rows.items()]
    files = printable(f"{outbox / stem}  {' '.join(endings)}")  # whole, to be copied
    return "\n".join([name, *told, f"{'  outputs':<17}{files}"])


def row(key: str, value: str, column: int) -> str:
    """A value beside its key, from `column` on; too long for the terminal, it goes on below.

    In a pipe it stays whole.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrapped = textwrap.wrap(
        printable(value), max(width - column, 20), break_long_words=False, break_on_hyphens=False
    )
    return key.ljust(column) + ("\n" + " " * column).join(wrapped or [""])


def _on_gpu(provenance: Json) -> bool:
    return bool(provenance["device"] != "cpu")


def print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        print(f"{'ok ' if finding.well else 'BAD'}  {finding.topic:<12} {finding.text}")
        if not finding.well:
            print(f"     {'':<12} → {finding.remedy}")


class Progress:
    """How far the files are, on a terminal; elsewhere it says nothing. For `with`."""

    def __init__(self, stream: TextIO, files: int) -> None:
        self._stream = stream
        self._files = files
        self._tasks: dict[tuple[int, str], TaskID] = {}

    def __enter__(self) -> Progress:
        self._bars = None
        if self._stream.isatty():
            from rich import progress  # noqa: PLC0415 - heavy, and only for a terminal
            from rich.console import Console  # noqa: PLC0415
            from rich.table import Column  # noqa: PLC0415

            name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
            self._bars = progress.Progress(
                progress.TextColumn("{task.description}", table_column=name, markup=False),
                progress.TextColumn("{task.fields[stage]}"),
                progress.BarColumn(bar_width=16),
                progress.TaskProgressColumn(),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(compact=True),
                console=Console(file=self._stream),
                auto_refresh=False,
                transient=True,
                expand=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, runs: Sequence[Attempt], ledger: Ledger) -> None:
        if self._bars is None:
            return
        working = {(run.job.id, str(run.stage)): run for run in runs if not run.is_waiting}
        for key in [key for key in self._tasks if key not in working]:
            self._bars.remove_task(self._tasks.pop(key))
        finished = sum(count for stage, count in ledger.counts().items() if stage in TERMINAL)
        for key, run in working.items():
            if key not in self._tasks:
                name = f"{finished + 1}/{self._files} {run.job.name}"
                self._tasks[key] = self._bars.add_task(name, stage=key[1], total=None)
            total = run.total or None
            self._bars.update(self._tasks[key], completed=run.done, total=total)
        self._bars.refresh()


def _memory(stage: Json) -> str:
    peak = stage["peak_rss_bytes"]
    return f" with {peak / 1e9:.1f} GB" if peak else ""


def outputs(outbox: Path, stem: str) -> list[Path]:
    """The files of a delivery, the text first and the JSON last."""
    files = outbox.glob(f"{_escaped(stem)}.*")
    return sorted(
        files, key=lambda path: (path.suffix == ".json", path.suffix != ".txt", path.name)
    )


def _escaped(stem: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in stem)
