"""Inside a Dask worker: the functions that an owner names, and the resident `dropscribe lend`.

Dask runs `work`, one task a recording, on whichever worker it chooses. The task announces itself
and waits: the owner sends the recording to the task that it heard of first, so a task that Dask
starts twice (after a lost worker, a restarted scheduler) gets nothing and gives up. The stages run
in a child process of the worker, `dropscribe lend`, which is kept from recording to recording.

The other functions are called by the owner on a named worker, in the worker's event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Worker, get_worker

from daemon import __version__
from daemon.cluster import wire
from daemon.cluster.fairness import why_not
from daemon.cluster.host import Host
from daemon.cluster.incoming import Incoming, Offer, RefusedError, remove
from daemon.cluster.inventory import take_stock
from daemon.config import file as config_file
from daemon.config.location import default_path
from daemon.config.settings import Config
from daemon.domain.job import FailureKind, Identity
from daemon.domain.transcript import Json
from daemon.files.faults import explain, scarce_disk
from daemon.handoff import artefacts, lent
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.protocol import Message, Progress, Receipt
from daemon.models import hardware

RESOURCE = "dropscribe"  # what a worker announces: how many recordings it takes at a time
_CONNECT_SECONDS = 60.0  # for `dropscribe lend` to start
_TICK = 0.1
_MB = 1_000_000


def lend_command(state: Path) -> Sequence[str]:
    """What does the work: this installation, with a state folder of the worker's own."""
    return [sys.executable, "-P", "-s", "-m", "daemon", "lend", "--state", str(state)]


@dataclass(slots=True)
class _Task:
    """A recording that is expected, or at work. `heard`: of its owner, monotonic."""

    offer: Offer
    heard: float
    sha256: str = ""
    is_whole: threading.Event = field(default_factory=threading.Event)
    is_wanted: bool = True
    progress: tuple[float, float] = (0.0, 0.0)
    receipt: Receipt | None = None

    def goes_on(self) -> bool:
        """Whether its owner wants it, and still lives."""
        return self.is_wanted and time.monotonic() - self.heard < wire.SILENCE_SECONDS


class _Place:
    """What one worker has for us: folders, the recordings that it has, and its lender."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.config: Config = config_file.load(default_path(os.environ))
        self.tasks: dict[str, _Task] = {}
        self.folder = Path(worker.local_directory) / "dropscribe"
        self._lock = threading.Lock()
        (self.folder / "inbox").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.incoming = Incoming(self.folder, self.folder / "inbox")
        self._lender: Host | None = None
        self._settings: Json = {}

    def lender(self, settings: Json) -> Host:
        """What works by these wishes."""
        with self._lock:
            if self._lender is not None and settings != self._settings:
                self._lender.stop()
                self._lender = None
            if self._lender is None:
                self._settings = settings
                command = lend_command(self.folder / "state")
                self._lender = Host(RESOURCE, command, settings, self._hear, lambda: None)
                self._lender.start()
            return self._lender

    def _hear(self, message: Message) -> None:
        """Runs in a thread of the lender's."""
        match message:
            case Progress(nonce, done, total) if nonce in self.tasks:
                self.tasks[nonce].progress = (done, total)
            case Receipt(nonce) if nonce in self.tasks:
                self.tasks[nonce].receipt = message
            case _:
                pass

    def why_not(self) -> str:
        """Why nothing is taken now; "" if something is."""
        lender = self._lender
        if lender is not None and lender.state.state == "away":
            return lender.state.reason
        return why_not(self.config.lend)

    def work(self, nonce: str, topic: str, offer: Json, settings: Json) -> Json:
        given = Offer(nonce, offer["key"], offer["suffix"], offer["bytes"], offer["profile"])
        task = _Task(given, time.monotonic())
        try:
            if reason := self._why_not(task, settings):
                return _failed(FailureKind.NOT_BEGUN, reason)
            self.tasks[nonce] = task
            have = self.incoming.begin(given)
            begun = {"begun": nonce, "worker": self.worker.address, "name": str(self.worker.name)}
            self.worker.log_event(topic, begun | {"have": have})
            recording = self._await_recording(task)
            if recording is None:
                return _failed(FailureKind.NOT_BEGUN, "it was not sent, or is not wanted any more")
            return self._do(task, recording, self.lender(settings))
        except RefusedError as error:
            return _failed(FailureKind.LOST, str(error))
        except OSError as error:
            return _failed(FailureKind.NOT_BEGUN, explain(error))
        finally:
            self.tasks.pop(nonce, None)
            self.incoming.drop(nonce)

    def _why_not(self, task: _Task, settings: Json) -> str:
        """Why it is not taken, "" if it is. Raises RefusedError for what is not to be taken."""
        task.offer.check(self.config.limits.max_file_mb * _MB)
        if self.tasks and settings != self._settings:
            return "it works for another owner"
        self.lender(settings)  # it starts while the recording comes
        free_mb = self.config.limits.min_free_mb + 2 * task.offer.bytes // _MB
        return self.why_not() or scarce_disk((self.folder,), free_mb) or ""

    def _await_recording(self, task: _Task) -> Path | None:
        while not task.is_whole.wait(_TICK):
            if not task.goes_on():
                return None
        return self.incoming.finish(task.offer.nonce, task.sha256)

    def _do(self, task: _Task, recording: Path, lender: Host) -> Json:
        nonce, folder = task.offer.nonce, recording.parent
        try:
            if reason := _why_not_ready(lender, task):
                return _failed(FailureKind.NOT_BEGUN, reason)
            limits = self.config.limits
            identity = Identity.of(recording.lstat())
            most = limits.max_file_mb * _MB, limits.max_audio_hours * 3600
            JobRequest(recording, identity, None, (), None, *most).write(folder)
            lent.write_order(folder, task.offer.profile, False, "off")
            lender.lend(folder, nonce)
            while task.receipt is None:
                if not task.goes_on():
                    lender.recall(nonce)
                    return _failed(FailureKind.NOT_BEGUN, "it is not wanted any more")
                time.sleep(_TICK)
            if task.receipt.kind is not None:
                return _failed(task.receipt.kind, task.receipt.message)
            return _results(lent.results_folder(folder, nonce))
        finally:
            remove(recording)


def _why_not_ready(lender: Host, task: _Task) -> str:
    """Wait until it takes recordings; "" then, or why it does not."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while lender.state.state != "ready" and time.monotonic() < deadline and task.goes_on():
        if lender.state.reason != lender.UNHEARD:
            break
        time.sleep(_TICK)
    return "" if lender.state.state == "ready" else lender.state.reason


def _results(folder: Path) -> Json:
    report = json.loads((folder / lent.REPORT).read_bytes())
    names = [name for name in lent.ARTEFACTS if (folder / name).is_file()]
    files = {name: (folder / name).read_bytes() for name in names}
    audio = artefacts.read_prepared(folder).audio_seconds
    return {"files": files, "report": {"stages": report["stages"], "audio_seconds": audio}}


def _failed(kind: FailureKind, message: str) -> Json:
    return {"kind": str(kind), "message": message}


_places: dict[str, _Place] = {}  # by the worker's address: a process may hold several
_making = threading.Lock()


def _place_of(worker: Worker) -> _Place:
    with _making:
        if worker.address not in _places:
            _places[worker.address] = _Place(worker)
        return _places[worker.address]


# What an owner calls


def work(nonce: str, topic: str, offer: Json, settings: Json) -> Json:
    """The task: a recording's artefacts and report, or the kind of failure and a message."""
    worker = get_worker()
    done = _place_of(worker).work(nonce, topic, offer, settings)
    return done | {"worker": worker.address}


async def describe(settings: Json, dask_worker: Worker) -> Json:
    """What this worker has, and why it takes nothing now ("" if it does)."""
    place = await asyncio.to_thread(_place_of, dask_worker)
    reason = await asyncio.to_thread(place.why_not)
    places = int(dask_worker.state.total_resources.get(RESOURCE, 0))
    backend = hardware.choose(place.config.transcribe.backend).name
    stock = await asyncio.to_thread(take_stock, place.config, backend, settings)
    return {"version": __version__, "places": places, "reason": reason} | stock


def beat(nonces: Sequence[str], dask_worker: Worker) -> Json:
    """The owner lives, and wants these; how far each is."""
    tasks = _place_of(dask_worker).tasks
    known = {nonce: tasks[nonce] for nonce in nonces if nonce in tasks}
    for task in known.values():
        task.heard = time.monotonic()
    return {nonce: list(task.progress) for nonce, task in known.items()}


def take(nonce: str, data: bytes, sha256: str, dask_worker: Worker) -> None:
    """More of a recording; `sha256` of all of it says that this was the last. Raises OSError."""
    place = _place_of(dask_worker)
    if (task := place.tasks.get(nonce)) is not None:
        task.heard = time.monotonic()
        if data:
            place.incoming.append(nonce, data)
        if sha256:
            task.sha256 = sha256
            task.is_whole.set()


def forget(nonce: str, dask_worker: Worker) -> None:
    """It is not wanted any more."""
    if (task := _place_of(dask_worker).tasks.get(nonce)) is not None:
        task.is_wanted = False
