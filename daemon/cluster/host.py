"""The near side of one connection: a machine that lends itself, and the jobs that it has.

A machine is lost when ssh ends, or nothing has come for SILENCE_SECONDS. Its jobs that were at work
are LOST then, which is an interruption; those on their way are given back, and cost nothing. So is
everything when the machine says that it leaves.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from daemon import __version__
from daemon.cluster import ssh, wire
from daemon.cluster.link import Frame, Link
from daemon.cluster.outgoing import LentJob, UnsentError
from daemon.cluster.speed import Speed
from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json
from daemon.files.faults import explain
from daemon.handoff.protocol import HostState, Message, Progress, Receipt, Usage

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0  # seconds before the next try to connect
_MOST_PLACES = 64
_MOST_NAMES = 200  # of models, or languages, that a machine may name


class Host:
    """One machine, from `start` to `stop`.

    `tell` takes messages for the daemon; it and `changed` are called from threads of ours.
    """

    UNHEARD = "it has not answered yet"

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Json,
        tell: Callable[[Message], None],
        changed: Callable[[], None],
    ) -> None:
        self.state = HostState(name, "connecting", self.UNHEARD)
        self._command = command
        self._settings = settings
        self._tell = tell
        self._changed = changed
        self._lock = threading.RLock()
        self._jobs: dict[str, LentJob] = {}  # by nonce
        self._link: Link | None = None
        self._ssh: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self._left = ""  # why it left of itself
        self._speed = Speed()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._cut()

    # What the daemon wants

    def lend(self, folder: Path, nonce: str) -> None:
        """Offer the job; if the machine has just left, it is given back."""
        with self._lock:
            link = self._link
            try:
                job = LentJob.read(folder, nonce)
            except (OSError, ValueError, KeyError) as error:
                self._answer(nonce, FailureKind.LOST, f"the job's folder is not whole ({error})")
                return
            if link is None or self.state.state != "ready":
                self._answer(nonce, FailureKind.NOT_BEGUN, "the machine has left")
                return
            self._jobs[nonce] = job
        threading.Thread(target=self._offer, args=(job, link), daemon=True).start()

    def _offer(self, job: LentJob, link: Link) -> None:
        """In a thread: a large recording is packed first."""
        job.pack(lambda: job.nonce in self._jobs)
        try:
            link.send(job.offer())
        except (OSError, ValueError, KeyError) as error:
            if self._jobs.pop(job.nonce, None) is not None:
                self._answer(
                    job.nonce, FailureKind.LOST, f"the job's folder is not whole ({error})"
                )

    def recall(self, nonce: str) -> None:
        with self._lock:
            if self._jobs.pop(nonce, None) is not None and self._link is not None:
                self._link.send({"recall": nonce})

    def has_jobs(self) -> bool:
        return bool(self._jobs)

    # The connection

    def _run(self) -> None:
        wait = _FIRST_WAIT
        while not self._stopped.is_set():
            self._left, began = "", time.monotonic()
            try:
                reason = self._converse()
            except OSError as error:
                reason = explain(error)
            lived = time.monotonic() - began > _LONGEST_WAIT
            wait = _FIRST_WAIT if lived else min(wait * 2, _LONGEST_WAIT)
            self._give_back(reason)
            self._become("away" if self._left else "connecting", self._left or reason)
            self._stopped.wait(wait)

    def _converse(self) -> str:
        """One connection, to its end; why it ended."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            assert process.stdin is not None
            assert process.stdout is not None
            self._ssh = process
            silent = threading.Event()

            def on_silence() -> None:
                silent.set()
                self._cut()

            link = Link(process.stdout, process.stdin, on_silence)
            link.start()
            link.send({"hello": wire.PROTOCOL, "version": __version__, "settings": self._settings})
            self._link, why = link, ""
            try:
                for head, data in link.frames():
                    self._take(head, data)
            except (wire.WireError, KeyError, TypeError, ValueError, OSError) as error:
                why = f"its answer cannot be used ({error})"
            finally:
                with self._lock:
                    self._link = None
                link.close()
                self._cut()
                _close(process)
            if silent.is_set():
                return f"it has not been heard of for {wire.SILENCE_SECONDS:.0f} s"
            errors.seek(0)
            said = errors.read(10_000).decode(errors="replace")
            return why or ssh.explained(said, self.state.name)

    def _cut(self) -> None:
        if (process := self._ssh) is not None:
            process.kill()

    def _give_back(self, reason: str) -> None:
        """The connection is over: what was not done is repeated, here if it was at work."""
        with self._lock:
            jobs, self._jobs = self._jobs, {}
        for nonce, job in jobs.items():
            at_work = job.at_work is not None and not self._left
            kind = FailureKind.LOST if at_work else FailureKind.NOT_BEGUN
            self._answer(nonce, kind, self._left or reason)

    # What the machine says

    def _take(self, head: Json, data: bytes) -> None:
        match next(iter(head), ""):
            case "hello":
                self.state = with_stock(self.state, head)
                self._become("ready", "", min(int(head["places"]), _MOST_PLACES))
            case "refused" | "away" | "leaving" as how:
                self._left = str(head[how])[:1000]
                self._become("away", self._left)
            case _:
                with self._lock:
                    self._take_of_job(head, data)

    def _take_of_job(self, head: Json, data: bytes) -> None:
        what, nonce = next(iter(head.items()))
        if (job := self._jobs.get(str(nonce))) is None:
            return  # recalled, or answered already
        match what:
            case "have":
                if self._link is not None:
                    self._link.stream(self._pieces(job, int(head["bytes"])))
            case "at_work":
                job.at_work = time.monotonic()
            case "progress":
                done, total = float(head["done"]), float(head["total"])
                self._tell(Progress(job.nonce, done, total))
            case "file":
                job.receive(str(head["name"]), data)
            case "result":
                del self._jobs[job.nonce]
                self._conclude(job, head)
            case _:
                pass

    def _conclude(self, job: LentJob, head: Json) -> None:
        if "report" not in head:
            self._answer(job.nonce, FailureKind.LOST, str(head["message"])[:1000])
            return
        now = time.monotonic()
        try:
            job.conclude(self.state.name, head["report"], now - (job.at_work or now))
            audio = float(head["report"]["audio_seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._answer(job.nonce, FailureKind.LOST, str(error)[:1000])
            return
        self._speed.on_result(audio, job.at_work)
        self.state = replace(self.state, speed=self._speed.audio)
        self._tell(Receipt(job.nonce, Usage()))
        self._changed()

    def _pieces(self, job: LentJob, at: int) -> Iterator[Frame]:
        """The rest of a recording, in the writing thread; how fast it goes is measured."""
        began = time.monotonic()
        try:
            yield from job.pieces(at, lambda: job.nonce in self._jobs)
        except UnsentError as error:
            if self._jobs.pop(job.nonce, None) is not None:
                yield {"recall": job.nonce}, b""
                self._answer(job.nonce, error.kind, str(error))
            return
        self._speed.on_sent(job.size - at, began)
        self.state = replace(self.state, bytes_per_second=self._speed.network)

    # What the daemon is told

    def _become(self, state: str, reason: str, places: int = 0) -> None:
        new = replace(self.state, state=state, reason=reason, places=places)  # type: ignore[arg-type]
        if new != self.state:
            self.state = new
            self._changed()

    def _answer(self, nonce: str, kind: FailureKind, message: str) -> None:
        self._tell(Receipt(nonce, Usage(), kind, message))


def with_stock(state: HostState, said: Json) -> HostState:
    """What a machine says that it has (inventory.py). Raises KeyError, TypeError, ValueError."""
    return replace(
        state,
        models=tuple(map(str, said["models"][:_MOST_NAMES])),
        aligners=tuple(map(str, said["aligners"][:_MOST_NAMES])),
        free_bytes=max(0, int(said["free_bytes"])),
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        _close_stream(stream)
    process.wait()


def _close_stream(stream: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            stream.close()
