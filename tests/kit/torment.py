"""What people and the system do to a daemon: files come, change and go, processes are killed."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.kit.fake_recording import recording, said
from tests.kit.fault_daemon import FaultDaemon

_AUDIO = Path(__file__).parents[1] / "audio"
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
# By SIGKILL, by SIGSTOP (the daemon goes on after a moment), by SIGTERM.
_HOW = ("daemon killed", "daemon stopped", "daemon ended", "stage killed", "stage stopped")
_BACKLOG = 100  # files that wait at a time
_BAD = ("prepare bad_input", "transcribe defect")


@dataclass
class Torment:
    """One run. `must`: contents that have to end once; `may`: those that were taken back."""

    daemon: FaultDaemon
    rng: random.Random
    real: bool
    must: dict[str, bytes] = field(default_factory=dict)
    may: dict[str, bytes] = field(default_factory=dict)
    live: dict[Path, str] = field(default_factory=dict)  # digests by path, as far as we know
    slow: list[tuple[Path, bytes]] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)

    def run(self, files: int, kills: int, until: float) -> None:
        """Spread the disturbances over the work: none may hit an idle daemon only.

        Nothing new is begun after `until` (monotonic seconds).
        """
        inbox = self.daemon.config.paths.inbox
        self.daemon.start()
        dropped = 0
        while dropped < files or self.kills < kills or self.slow:
            if time.monotonic() > until:
                files, kills = dropped, 0
            waiting = sum(1 for _ in inbox.iterdir())
            if dropped < files and waiting < _BACKLOG:
                for _ in range(min(self.rng.randrange(1, 8), files - dropped)):
                    self.drop(dropped)
                    dropped += 1
            self.feed()
            if self.rng.random() < 0.3:
                self.disturb_a_file()
            if self.kills < min(kills, kills * dropped / max(files, 1)):
                self.disturb_a_process()
            time.sleep(self.rng.uniform(0, 2.0 if self.real else 0.1))
        self.daemon.kill()

    # The files

    def drop(self, number: int) -> None:
        content, extension = self._content(number)
        path = self.daemon.config.paths.inbox / f"file {number}.{extension}"
        self.must[sha256(content)] = content
        self.live[path] = sha256(content)
        if self.rng.random() < 0.3:
            self.did["slow copies"] += 1
            path.write_bytes(b"")
            self.slow.append((path, content))
        else:
            self.daemon.drop(content, path.name)
        self.did["files in"] += 1

    def _content(self, number: int) -> tuple[bytes, str]:
        if self.real:
            sample = _AUDIO / self.rng.choice(_SAMPLES)
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

    def text(self, digest: str) -> str:
        """What fake stages hear in that content; "" if nobody dropped it."""
        return " ".join(said(self.must.get(digest, self.may.get(digest, b""))))

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
        self.must[sha256(content)] = content
        self.live[path] = sha256(content)

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
        how = self.rng.choice(_HOW)
        try:
            if how == "daemon killed":
                self.daemon.kill()
                self.daemon.start()
            elif how == "daemon ended":
                self.daemon.stop()
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
        return sum(self.did[how] for how in _HOW)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
