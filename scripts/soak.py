#!/usr/bin/env python3
"""Torment a daemon for a while, then count what became of every file.

    scripts/soak.py --files 2000 --kills 500 --seed 1      fake fast stages
    scripts/soak.py --files 40 --kills 40 --seed 1 --real  the demo models
    scripts/soak.py --files 10000 --kills 2000 --minutes 5 --seed 1  as much of it as fits

Files arrive slowly or at once, are renamed, overwritten and deleted; the daemon and its stages are
killed and stopped at random moments. At the end an undisturbed daemon drains the queue, and a
table tells what was lost, doubled, half-written or left running. Exit code 0 if all of that is 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from environment import enter

enter("test")

import psutil  # noqa: E402 - now it is there

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from tests.kit import invariant  # noqa: E402 - found through the line above
from tests.kit.fake_recording import recording  # noqa: E402
from tests.kit.fault_daemon import FaultDaemon  # noqa: E402

_SAMPLES = ("memo-10s.wav", "german-20s.flac", "spanish-20s.ogg", "french-20s.m4a")
_EXTENSIONS = ("wav", "mp3", "m4a", "flac", "ogg", "mp4", "webm")
_MISBEHAVIOUR = (
    "prepare kill 1",
    "prepare defect 1",
    "prepare disk_full 1",
    "transcribe segv 1",
    "transcribe abort 1",
    "transcribe leave 1",
    "transcribe truncated_result 1",
    "align segv 1",
    "align segv",
    "align no_result 1",
    "align abort_at_exit",
)
_BACKLOG = 100  # files that wait at a time
_BAD = ("prepare bad_input", "transcribe defect")


@dataclass
class Soak:
    """One run. `must`: contents that have to end once; `may`: those that were taken back."""

    daemon: FaultDaemon
    rng: random.Random
    real: bool
    must: dict[str, bytes] = field(default_factory=dict)
    may: dict[str, bytes] = field(default_factory=dict)
    live: dict[Path, str] = field(default_factory=dict)  # digests by path, as far as we know
    slow: list[tuple[Path, bytes]] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)

    # The files

    def drop(self, number: int) -> None:
        content, extension = self._content(number)
        path = self.daemon.config.paths.inbox / f"file {number}.{extension}"
        self.must[_sha256(content)] = content
        self.live[path] = _sha256(content)
        if self.rng.random() < 0.3:
            self.did["slow copies"] += 1
            path.write_bytes(b"")
            self.slow.append((path, content))
        else:
            self.daemon.drop(content, path.name)
        self.did["files in"] += 1

    def _content(self, number: int) -> tuple[bytes, str]:
        if self.real:
            sample = _ROOT / "tests" / "audio" / self.rng.choice(_SAMPLES)
            # Bytes behind the last packet make each file one of its own.
            return sample.read_bytes() + number.to_bytes(4, "big"), sample.suffix[1:]
        chance = self.rng.random()
        lines: tuple[str, ...] = ()
        if chance < 0.15:
            lines = (self.rng.choice(_MISBEHAVIOUR),)
        elif chance < 0.2:
            lines = (self.rng.choice(_BAD),)
        padding = "x" * self.rng.randrange(3000)
        return recording(f"file {number} said {padding}", *lines), self.rng.choice(_EXTENSIONS)

    def feed(self) -> None:
        """A few more bytes for each slow copy."""
        left = []
        for path, content in self.slow:
            try:
                with path.open("r+b") as file:
                    at = file.seek(0, os.SEEK_END)
                    file.write(content[at : at + max(len(content) // 4, 1)])
                    done = at + max(len(content) // 4, 1) >= len(content)
            except FileNotFoundError:
                done = True  # taken away, or admitted before it was whole: then it went to failed/
            if not done:
                left.append((path, content))
        self.slow = left

    def disturb_a_file(self) -> None:
        waiting = [path for path in self.live if path not in {one for one, _ in self.slow}]
        if not waiting:
            return
        path = self.rng.choice(waiting)
        how = self.rng.choice(("rename", "overwrite", "delete", "touch"))
        try:
            getattr(self, f"_{how}")(path, self.live.pop(path))
        except FileNotFoundError:
            return  # it was taken in already
        self.did[{"touch": "touches"}.get(how, f"{how}s")] += 1

    def _rename(self, path: Path, digest: str) -> None:
        target = path.with_name(f"renamed {path.name}")
        path.rename(target)
        self.live[target] = digest

    def _overwrite(self, path: Path, digest: str) -> None:
        content = recording(f"overwritten {path.name} {self.rng.random()}")
        if self.real:
            content = self._content(self.rng.randrange(10**6, 10**9))[0]
        hidden = self.daemon.root / "overwriting"
        hidden.write_bytes(content)
        path.lstat()
        hidden.replace(path)
        self.may[digest] = self.must.pop(digest)
        self.must[_sha256(content)] = content
        self.live[path] = _sha256(content)

    def _delete(self, path: Path, digest: str) -> None:
        path.unlink()
        self.may[digest] = self.must.pop(digest)

    def _touch(self, path: Path, digest: str) -> None:
        os.utime(path)
        self.live[path] = digest

    # The processes

    def disturb_a_process(self) -> None:
        process = psutil.Process(self.daemon.processes[-1].pid)
        stages = self.daemon.stages()
        how = self.rng.choice(("daemon killed", "daemon stopped", "stage killed", "stage stopped"))
        try:
            if how == "daemon killed":
                self.daemon.kill()
                self.daemon.start()
            elif how == "daemon stopped":
                process.suspend()
                time.sleep(self.rng.uniform(0.01, 0.3))
                process.resume()
            elif stages:
                stage = self.rng.choice(stages)
                stage.send_signal(signal.SIGKILL if how == "stage killed" else signal.SIGSTOP)
            else:
                return
        except psutil.Error:
            return
        self.did[how] += 1

    @property
    def kills(self) -> int:
        return sum(
            number for what, number in self.did.items() if "killed" in what or "stopped" in what
        )


def torment(soak: Soak, files: int, kills: int, until: float) -> None:
    """Spread the disturbances over the work: none may hit an idle daemon only.

    Nothing new is begun after `until` (monotonic seconds).
    """
    inbox = soak.daemon.config.paths.inbox
    soak.daemon.start()
    dropped = 0
    while dropped < files or soak.kills < kills or soak.slow:
        if time.monotonic() > until:
            files, kills = dropped, 0
        waiting = sum(1 for _ in inbox.iterdir())
        if dropped < files and waiting < _BACKLOG:
            for _ in range(min(soak.rng.randrange(1, 8), files - dropped)):
                soak.drop(dropped)
                dropped += 1
        soak.feed()
        if soak.rng.random() < 0.3:
            soak.disturb_a_file()
        if soak.kills < min(kills, kills * dropped / max(files, 1)):
            soak.disturb_a_process()
        time.sleep(soak.rng.uniform(0, 2.0 if soak.real else 0.1))
    soak.daemon.kill()


def drain(daemon: FaultDaemon, real: bool) -> None:
    """Undisturbed, to the end; a fault of the machine ends a run early, and the next goes on."""
    for _ in range(100):
        finished = daemon.run_to_end(*(["--all-real"] if real else []), seconds=3600)
        if finished.returncode == 0:
            return
    print(finished.stderr.decode(errors="replace")[-2000:])


def count(soak: Soak) -> tuple[list[tuple[str, object]], bool]:
    """The table, and whether it is as it should be."""
    daemon = soak.daemon
    ended: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for stem, suffixes in invariant.output_sets(daemon).items():
        if "json" in suffixes:
            ended[daemon.document(stem)["provenance"]["sha256"]] += 1
    done = sum(ended.values())
    for path in daemon.config.paths.failed.iterdir():
        if path.name.endswith(".error.json"):
            kinds[json.loads(path.read_bytes())["kind"]] += 1
        else:
            ended[_sha256(path.read_bytes())] += 1
    sets = invariant.output_sets(daemon).values()
    half = sum(len(suffixes) < len(invariant.SUFFIXES) for suffixes in sets)
    lost = sum(ended[digest] == 0 for digest in soak.must)
    doubled = sum(number > 1 for number in ended.values())
    # A slow copy may have looked still and been read half: each such piece must have failed or
    # been replaced, so what was made of bytes that nobody dropped is wrong.
    foreign = sum(digest not in soak.must and digest not in soak.may for digest in ended)
    temporary = len(list(daemon.config.paths.outbox.glob(".*")))
    waiting = len(daemon.inbox_names())
    orphans = len(invariant.orphans(daemon.root))
    bad = {
        "lost": lost,
        "duplicated": doubled,
        "half-written": half + foreign,
        "temporary files": temporary,
        "still waiting": waiting,
        "orphans": orphans,
    }
    rows: list[tuple[str, object]] = [*soak.did.items(), ("done", done)]
    rows += [(f"failed: {kind}", number) for kind, number in sorted(kinds.items())]
    return [*rows, *bad.items()], not any(bad.values())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="the demo models, not fake stages")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new then")
    parser.add_argument("--keep", action="store_true", help="leave the folders behind")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(prefix="dropscribe-soak-"))
    stall = {"stall_seconds": 60.0 if arguments.real else 2.0}
    tables = {
        "watch": {"settle_seconds": 0.5, "empty_seconds": 30.0, "events": True},
        "limits": {"max_attempts": 10, "max_interruptions": 200, "retry_seconds": 0.1, **stall},
        "align": stall,
    }
    daemon = FaultDaemon.on(root, tables)
    if arguments.real:
        daemon = daemon.running_with("--all-real")
    soak = Soak(daemon, random.Random(arguments.seed), arguments.real)
    begun = time.monotonic()
    try:
        torment(soak, arguments.files, arguments.kills, begun + arguments.minutes * 60)
        drain(daemon, arguments.real)
        rows, good = count(soak)
    finally:
        daemon.end()
    print(f"seed {arguments.seed}, {time.monotonic() - begun:.0f} s")
    for name, value in rows:
        print(f"  {name:<28}{value:>8}")
    if arguments.keep or not good:
        print(f"folders: {root}")
    else:
        shutil.rmtree(root)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
