"""The far side: `dropscribe lend`, started by the owner's ssh. It does one owner's jobs and leaves.

It is a daemon of its own whose inbox is the connection: the same loop, limits, retries and sandbox
as for its own recordings (supervisor/), but what is done goes back instead of into an outbox. It
runs the stages of its own installation; of what the owner says, only a recording's bytes and a
profile's settings reach them. Nothing of a recording stays but parts of one that did not arrive.

It ends when the connection does, or is silent for SILENCE_SECONDS, or when this machine is not to
be lent any more; its stages end with it.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from daemon import __version__
from daemon.cluster import wire
from daemon.cluster.fairness import why_not
from daemon.cluster.handover import Handover
from daemon.cluster.incoming import Incoming, Offer, RefusedError, remove
from daemon.cluster.inventory import take_stock
from daemon.cluster.link import Frame, Link
from daemon.config import file as config_file
from daemon.config.profile import SHARED
from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json
from daemon.errors import OK, DropscribeError, TemporaryError
from daemon.files.daemon_lock import Lock
from daemon.files.faults import explain, scarce_disk
from daemon.files.state_folder import LENT
from daemon.inbox.scan import candidate
from daemon.models import registry
from daemon.models.hardware import Backend
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, Commands
from daemon.supervisor.inbox_watch import NoInbox

_FAIRNESS_SECONDS = 2.0  # between two looks at whether this machine is still to be lent
_MB = 1_000_000
_LAST_SECONDS = 20.0  # for the stages to end
_LEAVE_SECONDS = 5.0  # for the last frames
MakeCommands = Callable[[Config], Commands]


class Lender:
    """One connection, from the owner's hello to its end."""

    def __init__(self, config: Config, backend: Backend, commands: MakeCommands) -> None:
        self._own = config
        self._backend = backend
        self._commands = commands
        self._leaving = ""
        self._inbox: _Inbox | None = None  # until there is somewhere to put a recording
        self._stop: Callable[[], None] = lambda: os._exit(OK)

    def serve(self, incoming: IO[bytes], outgoing: IO[bytes]) -> int:
        """Work until the connection ends; the exit code."""
        self._link = link = Link(incoming, outgoing, self._on_silence)
        link.start()
        frames = link.frames()
        first = next(frames, None)
        if first is None or first[0].get("hello") != wire.PROTOCOL:
            raise DropscribeError("this is what another dropscribe's cluster starts, over ssh")
        if refusal := self._refusal(first[0]):
            link.send({"refused": refusal})
            link.flush(_LEAVE_SECONDS)
            return OK
        threading.Thread(target=self._read, args=(frames,), daemon=True).start()
        self._wait_for_fairness()
        folder = self._own.paths.state / LENT
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with Lock(folder):
                self._work(first[0]["settings"], folder)
        except TemporaryError:
            self._leaving = self._leaving or "it works for another owner"
        link.send({"leaving": self._leaving or "it ends"})
        link.flush(_LEAVE_SECONDS)
        return OK

    def _refusal(self, hello: Json) -> str:
        """Why there is nothing to be done for this owner; "" if there is."""
        if hello.get("version") != __version__:
            return (
                f"it has dropscribe {__version__}, and the owner has {hello.get('version')}:"
                " bring both to the same version"
            )
        model = str(hello.get("settings", {}).get("transcribe", {}).get("model", ""))
        if not registry.is_here(model, self._backend.name, os.environ):
            return f"the model {model} is not there: run `dropscribe models fetch {model}` there"
        return ""

    def _wait_for_fairness(self) -> None:
        told = ""
        while reason := why_not(self._own.lend):
            if reason != told:
                self._link.send({"away": reason})
            told = reason
            time.sleep(_FAIRNESS_SECONDS)

    def _work(self, settings: Json, folder: Path) -> None:
        session = folder / "session"
        shutil.rmtree(session, ignore_errors=True)  # of a connection that was cut
        session.mkdir(mode=0o700)
        config = _config(self._own, settings, session)
        open_logs(self._own.paths.logs / LENT, echo=False)
        with Application.open(config, self._commands(config), EventLog()) as application:
            application.context.commands = self._commands
            inbox = _Inbox(application, self._link)
            self._stop = application.stop
            self._incoming = Incoming(folder, config.paths.inbox)
            self._inbox = inbox
            threading.Thread(target=self._keep_fair, daemon=True).start()
            stock = take_stock(self._own, self._backend.name, settings)
            about = {"version": __version__, "places": self._own.lend.files}
            self._link.send({"hello": wire.PROTOCOL} | about | stock)
            application.work_on(inbox, inbox.handover, lambda: self._look(application, inbox))
        self._incoming.close()
        shutil.rmtree(session, ignore_errors=True)

    def _look(self, application: Application, inbox: _Inbox) -> None:
        """In every turn of the loop."""
        inbox.handover.report_progress()
        if reason := application.context.pause.reason:  # others can do it: nothing waits here
            self._leave(reason)

    def _on_silence(self) -> None:
        """Runs in a thread, as `_leave` may."""
        self._leave(f"the owner has not been heard of for {wire.SILENCE_SECONDS:.0f} s")

    def _leave(self, reason: str) -> None:
        """End, and soon: if the loop hangs, without it."""
        self._leaving = self._leaving or reason
        last = threading.Timer(_LAST_SECONDS, os._exit, (OK,))
        last.daemon = True
        last.start()
        self._stop()

    def _keep_fair(self) -> None:
        """Runs in a thread."""
        try:
            while not (reason := why_not(self._own.lend)):
                time.sleep(_FAIRNESS_SECONDS)
        except Exception as error:  # unwatched, it would be lent whatever its owner does
            reason = f"whether it may be lent cannot be told ({type(error).__name__}: {error})"
        self._leave(reason)

    def _read(self, frames: Iterator[Frame]) -> None:
        """Runs in a thread: what the owner says, until the connection ends."""
        try:
            for head, data in frames:
                if self._inbox is not None:
                    self._take(self._inbox, head, data)
        except OSError as error:
            self._leave(explain(error))
        except (wire.WireError, KeyError, TypeError, ValueError) as error:
            self._leave(f"what came is not dropscribe's: {error}")
        self._leave("the connection ended")

    def _take(self, inbox: _Inbox, head: Json, data: bytes) -> None:
        nonce = str(next(iter(head.values()), ""))
        try:
            match next(iter(head), ""):
                case "offer":
                    self._begin(nonce, head)
                case "data":
                    self._incoming.append(nonce, data)
                case "whole":
                    if recording := self._incoming.finish(nonce, str(head["sha256"])):
                        inbox.add(nonce, recording)
                        self._link.send({"at_work": nonce})
                case "recall":
                    self._incoming.drop(nonce)
                    inbox.recall(nonce)
                case _:
                    pass
        except RefusedError as error:
            self._incoming.drop(nonce)
            answer = {"result": nonce, "kind": FailureKind.LOST, "message": str(error)}
            self._link.send(answer)

    def _begin(self, nonce: str, head: Json) -> None:
        offer = Offer(nonce, head["key"], head["suffix"], int(head["bytes"]), head["profile"])
        offer.check(self._own.limits.max_file_mb * _MB)
        free_mb = self._own.limits.min_free_mb + offer.bytes // _MB
        if reason := scarce_disk((self._own.paths.state,), free_mb):
            self._leave(reason)
            return
        self._link.send({"have": nonce, "bytes": self._incoming.begin(offer)})


class _Inbox(NoInbox):
    """What has come whole, for the loop to take up. `add` and `recall` may come from any thread."""

    def __init__(self, application: Application, link: Link) -> None:
        self._application = application
        self._context = application.context
        self._due = False
        self._changes: queue.SimpleQueue[tuple[str, Path | None]] = queue.SimpleQueue()
        self.handover = Handover(self._context, link)

    def add(self, nonce: str, recording: Path) -> None:
        self._changes.put((nonce, recording))
        self._application.ring()

    def recall(self, nonce: str) -> None:
        self._changes.put((nonce, None))
        self._application.ring()

    def request_scan(self) -> None:
        self._due = True

    def due(self) -> float:
        return 0.0 if self._due else super().due()

    def scan(self, now: float) -> bool:
        """Admit what came, and give up what was recalled."""
        self._due = False
        while not self._changes.empty():
            nonce, recording = self._changes.get()
            if recording is None:
                self.handover.forget(nonce)
            elif (found := candidate(recording)) is not None:
                jobs = self._context.ledger.admit([found], self._context.unix_time())
                for job in jobs:
                    self.handover.expect(job, nonce)
            else:
                remove(recording)
        return False


def _config(own: Config, settings: Json, session: Path) -> Config:
    """This machine's configuration with the owner's wishes, and folders of its own.

    Raises UsageError for wishes that are none.
    """
    data = as_json(own)
    for table, keys in SHARED.items():
        data[table] |= {key: settings[table][key] for key in keys}
    data["transcribe"]["stand_in"] = False  # the owner wants that model, and no other
    folders = ("inbox", "outbox", "done", "failed", "state", "logs")
    data["paths"] = {name: session / name for name in folders}
    for folder in data["paths"].values():
        folder.mkdir(mode=0o700)
    data["limits"] |= {"on_battery": True, "hours": ""}  # [lend] has its own
    data["notify"] = {}
    data["output"] |= {"source": "keep", "index": False, "group": "", "mode": ""}
    return config_file.validated(data, "what the owner wishes")


def standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The connection, out of the reach of whatever prints.

    A thread waits for what comes when the interpreter ends, which would abort if it held the lock
    of sys.stdin.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return incoming, outgoing
