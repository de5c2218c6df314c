#!/usr/bin/env python3
"""What years of use cost: a million finished jobs in the ledger, many sets in the outbox.

    scripts/growth.py                        1,000,000 rows, 100,000 sets
    scripts/growth.py --rows 10000 --sets 1000

Prints what a file costs the supervisor besides its stages' processes (its rows, its delivery), at
the start and then; and what opening the ledger, `status` and `jobs` take then. Seconds of CPU.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from environment import enter
from msgspec.structs import asdict

enter("test")

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from daemon.config import file as config_file  # noqa: E402 - found through the line above
from daemon.domain.job import Candidate, Identity, Stage, StageRecord  # noqa: E402
from daemon.domain.transcript import AlignmentStatus  # noqa: E402
from daemon.handoff import artefacts  # noqa: E402
from daemon.handoff.outputs import Facts, OutputSet  # noqa: E402
from daemon.inbox.scan import look_into  # noqa: E402
from daemon.ledger.ledger import Ledger  # noqa: E402
from daemon.ledger.schema import identity_values  # noqa: E402
from daemon.outbox.publisher import Publisher  # noqa: E402
from tests.kit import command_line  # noqa: E402
from tests.kit.daemon_process import configured  # noqa: E402

_SUFFIXES = ("txt", "srt", "vtt", "tsv", "html", "timing.json", "json")
_WAY = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.PUBLISH, Stage.DONE)
_FACTS = Facts("backend", "device", "model", "en", 1.0, 1, 1, 1.0, AlignmentStatus.COMPLETE)
_FILES = 100  # of which the mean is taken
_LOOKED_AT = 10_000  # files in the inbox at once
_FILL = """
INSERT INTO jobs (source, size, mtime_ns, ctime_ns, inode, next, admitted_at, finished_at, stem,
    sha256) VALUES (?, 1, ?, ?, ?, 'done', ?, ?, ?, ?)
"""
_FILL_STAGES = """
INSERT INTO stages (job, stage, starts, started_at, ended_at, exit)
SELECT id, stage, 1, 0, 1, 'ok' FROM jobs, (
    SELECT 'prepare' AS stage UNION SELECT 'transcribe' UNION SELECT 'align' UNION SELECT 'publish'
) WHERE id NOT IN (SELECT job FROM stages)
"""


class Installation:
    """Folders with a ledger and an outbox."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = configured(root, {})
        self.paths = self.config.paths
        for folder in asdict(self.paths).values():
            Path(folder).mkdir(parents=True, exist_ok=True)
        config_file.save(self.config, root / "config.toml")
        self.path = self.paths.state / "ledger.db"
        self._files = 0

    def grow(self, rows: int, sets: int) -> None:
        inbox = os.fsencode(self.paths.inbox)
        values = (
            (inbox + b"/old %d.m4a" % n, n, n, n, n, n + 1, f"old {n}", f"{n:064x}")
            for n in range(rows)
        )
        with closing(Ledger(self.path)) as ledger:
            ledger._db.execute("PRAGMA synchronous = OFF")
            ledger._db.execute("BEGIN")
            ledger._db.executemany(_FILL, values)
            ledger._db.execute(_FILL_STAGES)
            ledger._db.execute("COMMIT")
        for number in range(sets):
            for suffix in _SUFFIXES:
                (self.paths.outbox / f"old {number}.{suffix}").touch()

    def a_file(self) -> float:
        """CPU seconds of a file: a scan, its rows, its delivery, its recording's way to done/."""
        with closing(Ledger(self.path)) as ledger:
            publisher = Publisher(self.config, ledger, self.paths.state / "jobs")
            self._pass_through(ledger, publisher)  # the first one lists the outbox
            before = time.process_time()
            for _ in range(_FILES):
                self._pass_through(ledger, publisher)
            return (time.process_time() - before) / _FILES

    def a_look(self, files: int) -> tuple[float, float]:
        """CPU seconds to hold a look at that many new files against the ledger; once known."""
        for number in range(files):
            (self.paths.inbox / f"look {number}.wav").write_bytes(b"sound")
        look = look_into(self.paths.inbox, self.config.watch.extensions)
        with closing(Ledger(self.path)) as ledger:

            def compare() -> list[Candidate]:
                seen = ledger.compare(look.rows)
                seen.absent(self.paths.inbox, files)
                return seen.fresh(files)

            new = _cpu(compare)
            ledger.admit(compare(), time.time())
            return new, _cpu(compare)

    def _pass_through(self, ledger: Ledger, publisher: Publisher) -> None:
        self._files += 1
        source = self.paths.inbox / f"new {self._files}.wav"
        source.write_bytes(b"sound")
        candidate = Candidate(source, Identity.of(source.lstat()))
        scan = ledger.compare([(*identity_values(candidate), None)])
        (job,) = ledger.admit(scan.fresh(10), time.time())
        scan.absent(self.paths.inbox, 10)
        outputs = self.paths.state / "jobs" / str(job.id) / artefacts.OUTPUTS
        outputs.mkdir(parents=True)
        for suffix in _SUFFIXES:
            (outputs / suffix).write_bytes(b"text")
        for stage, following in pairwise(_WAY):
            (waiting,) = ledger.waiting(stage)
            ledger.begin(waiting, stage, time.time())
            if stage is Stage.PUBLISH:
                publisher.publish(job, OutputSet("new", dict.fromkeys(_SUFFIXES, 4), _FACTS))
                publisher.archive(job)
            ended = StageRecord(stage, ended_at=time.time(), exit="ok")
            ledger.end(waiting, ended, following)
            ledger.anything_active()
        publisher.clear(job)

    def command(self, *arguments: str) -> float:
        """CPU seconds of a command, without the start of its process."""
        before = time.process_time()
        done = command_line.call("--config", str(self.root / "config.toml"), *arguments)
        assert done.returncode == 0, done.stderr
        return time.process_time() - before


def _cpu(act: Callable[[], object]) -> float:
    before = time.process_time()
    act()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sets", type=int, default=100_000)
    parser.add_argument("--folder", help="where to make the installation; default: temporary files")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="dropscribe-growth-", dir=given.folder))
    try:
        installation = Installation(root)
        at_first = installation.a_file()
        installation.grow(given.rows, given.sets)
        now = installation.a_file()
        print(f"{given.rows:,} rows, {given.sets:,} sets")
        print(f"  a file, at the start   {at_first * 1000:8.1f} ms")
        print(f"  a file, then           {now * 1000:8.1f} ms   ({now / at_first:.2f} ×)")
        opened = _cpu(lambda: Ledger(installation.path).close())
        print(f"  opening the ledger     {opened * 1000:8.1f} ms")
        for command in (("status",), ("jobs",), ("jobs", "-n", "20")):
            installation.command(*command)  # imports what it needs
            print(f"  {' '.join(command):<22} {installation.command(*command) * 1000:8.1f} ms")
        new, known = installation.a_look(_LOOKED_AT)
        print(
            f"  a look at {_LOOKED_AT:,} files {new * 1000:6.0f} ms, once known {known * 1000:.0f}"
        )
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
