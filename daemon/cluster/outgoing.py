"""A recording on its way to another machine, and the artefacts on their way back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daemon.cluster import packing, wire
from daemon.cluster.link import Frame
from daemon.cluster.packing import Packed
from daemon.domain.job import FailureKind, Identity
from daemon.domain.transcript import Json
from daemon.domain.validation import from_json
from daemon.files.atomic import sync
from daemon.files.faults import explain
from daemon.files.recording import open_recording
from daemon.handoff import artefacts, lent
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.lent import LentReport, LentStage

_MOST_BYTES = 500_000_000  # of all artefacts of a recording


class UnsentError(Exception):
    """The recording cannot be sent as it was admitted."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(slots=True)
class LentJob:
    """A job that one machine has. Times are monotonic."""

    folder: Path
    nonce: str
    request: JobRequest
    sha256: str = ""
    at_work: float | None = None  # since when the recording is there, whole
    received: int = 0  # bytes of artefacts
    files: set[str] = field(default_factory=set)
    packed: Packed | None = None  # travels in its place

    @classmethod
    def read(cls, folder: Path, nonce: str) -> LentJob:
        return cls(folder, nonce, JobRequest.read(folder))

    def pack(self, is_wanted: Callable[[], bool]) -> None:
        """Have less travel, if that is possible. It takes a while."""
        if packing.is_worth_it(self.request):
            folder = self.folder / f"{lent.PREFIX}{self.nonce}-packed"
            self.packed = packing.pack(self.request, self.nonce, folder, is_wanted)

    @property
    def size(self) -> int:
        """Of what travels. Raises OSError."""
        return self.packed.flac.stat().st_size if self.packed else self.request.identity.size

    def offer(self) -> Json:
        """Raises OSError."""
        source, identity = self.request.source, self.request.identity
        named = f"{os.fsencode(source).hex()} {identity} {bool(self.packed)}".encode()
        suffix = ".flac" if self.packed else source.suffix if source.suffix.isascii() else ""
        return {
            "offer": self.nonce,
            "key": hashlib.sha256(named).hexdigest(),
            "suffix": suffix if suffix[1:].isalnum() and len(suffix) <= 9 else "",
            "bytes": self.size,
            "profile": lent.read_order(self.folder),
        }

    def pieces(self, at: int, is_wanted: Callable[[], bool]) -> Iterator[Frame]:
        """The recording from byte `at` on, while it is wanted. Raises UnsentError."""
        digest = hashlib.sha256()
        try:
            travels = self.packed.flac if self.packed else self.request.source
            with open_recording(travels) as file:
                self._check(file.fileno())
                while data := file.read(wire.BLOCK):
                    if not is_wanted():
                        return
                    digest.update(data)
                    if new := data[max(0, at - (file.tell() - len(data))) :]:
                        yield {"data": self.nonce}, new
                self._check(file.fileno())
        except FileNotFoundError as error:
            raise UnsentError(FailureKind.VANISHED, "the file is not there any more") from error
        except OSError as error:
            raise UnsentError(FailureKind.LOST, explain(error)) from error
        self.sha256 = digest.hexdigest()
        yield {"whole": self.nonce, "sha256": self.sha256}, b""

    def _check(self, fd: int) -> None:
        if not self.packed and Identity.of(os.fstat(fd)) != self.request.identity:
            raise UnsentError(FailureKind.CHANGED, "the file changed while it was read")

    def receive(self, name: str, data: bytes) -> None:
        """A piece of an artefact. Raises OSError; ValueError for what was not asked for."""
        self.received += len(data)
        if name not in lent.ARTEFACTS or self.received > _MOST_BYTES:
            raise ValueError(f"it sent what was not asked for ({name[:40]!r})")
        folder = lent.results_folder(self.folder, self.nonce)
        folder.mkdir(mode=0o700, exist_ok=True)
        is_new = name not in self.files
        self.files.add(name)
        with (folder / name).open("wb" if is_new else "ab") as file:
            file.write(data)

    def conclude(self, host: str, report: Json, seconds: float) -> None:
        """All artefacts are here. Raises OSError; ValueError if they are of another recording."""
        folder = lent.results_folder(self.folder, self.nonce)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in self.files:
            with (folder / name).open("rb") as file:
                sync(file.fileno())
        try:
            prepared = artefacts.read_prepared(folder, self.nonce)
        except artefacts.InvalidArtefactError as error:
            raise ValueError(str(error)) from error
        if prepared.sha256 != self.sha256:
            raise ValueError("it worked on other bytes than those that were sent")
        if self.packed:  # what is said of the FLAC is said of the recording here
            self.packed.prepared.replace(folder / artefacts.PREPARED)
        stages = tuple(from_json(LentStage, json.dumps(stage)) for stage in report["stages"])
        whole = LentReport(host, stages, round(seconds, 3))
        artefacts.write_artefact(folder / lent.REPORT, self.nonce, whole)
