"""A daemon with fake fast stages and the record of what was dropped into it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit import invariant
from tests.kit.daemon_process import DaemonProcess, Tables

RUNNER = Path(__file__).with_name("runner.py")
_QUICK: Tables = {
    "watch": {"settle_seconds": 0.0, "empty_seconds": 0.2, "rescan_seconds": 0.5, "events": False},
    "transcribe": {"model": "base", "backend": "ctranslate2"},
    "limits": {"retry_seconds": 0.0, "grace_seconds": 0.2, "min_free_mb": 1, "stall_seconds": 2.0},
    "align": {"stall_seconds": 2.0},
}


def recording(said: str, *misbehaviour: str) -> bytes:
    """A fake recording: what was said, and how the stages should fail (see fake_stage.py)."""
    return "\n".join([said, *(f"@{line}" for line in misbehaviour), ""]).encode()


@dataclass
class FaultDaemon(DaemonProcess):
    """Drops, runs, and checks the invariant."""

    dropped: list[bytes] = field(default_factory=list)

    @classmethod
    def on(cls, root: Path, tables: Tables | None = None) -> FaultDaemon:
        merged: dict[str, Mapping[str, object]] = dict(_QUICK)
        for name, table in (tables or {}).items():
            merged[name] = {**merged.get(name, {}), **table}
        return super().on(root, merged).running_with()  # type: ignore[attr-defined, no-any-return]

    def running_with(self, *options: str) -> FaultDaemon:
        """The same folders, and the runner with these options."""
        program = (sys.executable, "-s", str(RUNNER), *options, "--")
        return dataclasses.replace(self, program=program)

    def give(self, name: str | bytes, said: str, *misbehaviour: str) -> Path:
        """Drop a fake recording whose end the invariant will ask for."""
        content = recording(said, *misbehaviour)
        self.dropped.append(content)
        return self.drop(content, name)

    def run_to_end(
        self, *options: str, prefix: Sequence[str] = (), seconds: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        """Run until everything is done, or the daemon dies; its output is in the result."""
        command = [*prefix, *self.running_with(*options).command("run", "--once")]
        return subprocess.run(command, capture_output=True, timeout=seconds, check=False)

    def drained(self, *options: str) -> FaultDaemon:
        """Run once more, without a fault, to the end."""
        finished = self.run_to_end(*options)
        assert finished.returncode == 0, finished.stderr.decode(errors="replace")
        return self

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
