"""A daemon with fake fast stages and the record of what was dropped into it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.kit import invariant
from tests.kit.daemon_process import DaemonProcess, Tables
from tests.kit.fake_recording import recording

_QUICK: Tables = {
    "watch": {"settle_seconds": 0.0, "empty_seconds": 0.2, "rescan_seconds": 0.5, "events": False},
    "transcribe": {"model": "base", "backend": "ctranslate2"},
    "limits": {"retry_seconds": 0.0, "grace_seconds": 0.2, "min_free_mb": 1},
}


@dataclass
class FaultDaemon(DaemonProcess):
    """Drops, runs, and checks the invariant."""

    dropped: list[bytes] = field(default_factory=list)

    @classmethod
    def on(cls, root: Path, tables: Tables | None = None) -> Self:
        merged: dict[str, Mapping[str, object]] = dict(_QUICK)
        for name, table in (tables or {}).items():
            merged[name] = {**merged.get(name, {}), **table}
        return super().on(root, merged).acting()

    def give(self, name: str | bytes, said: str, *misbehaviour: str) -> Path:
        """Drop a fake recording whose end the invariant will ask for."""
        content = recording(said, *misbehaviour)
        self.dropped.append(content)
        return self.drop(content, name)

    def run_to_end(
        self, *options: str, prefix: Sequence[str] = (), seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """A process that runs until everything is done, or it dies; its output is in the result."""
        command = [*prefix, *self.running_with(*options).command("run", "--once")]
        return subprocess.run(
            command, capture_output=True, timeout=seconds, check=False, text=True, errors="replace"
        )

    def drained(self, *options: str) -> FaultDaemon:
        """Run once more, without a fault, to the end: in this process, if there are no options."""
        finished = self.run_to_end(*options) if options else self.once()
        assert finished.returncode == 0, finished.stderr
        return self

    def wait_for_start(self, stage: str) -> None:
        """Until a fake of that stage has begun a job, and has counted that it did."""
        jobs = self.config.paths.state / "jobs"
        self.wait_until(lambda: any(jobs.glob(f"*/fake-{stage}-starts")), f"{stage} was at work")

    def violations(self, lost: int = 0) -> list[str]:
        return invariant.violations(self, self.dropped, lost)

    def failed_names(self) -> list[str]:
        return sorted(
            path.name
            for path in self.config.paths.failed.iterdir()
            if not path.name.endswith(".error.json")
        )

    def inbox_names(self) -> list[str]:
        return sorted(path.name for path in self.config.paths.inbox.iterdir())
