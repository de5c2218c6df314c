"""What PUBLISH is asked to render, and the output set that it rendered.

    publish.json    supervisor → PUBLISH      the job, what its stages cost, the settings
    formats.log     PUBLISH    → the next PUBLISH   the formats that were begun
    outputs/        PUBLISH                   the files, by suffix, as they will lie in the outbox
    outputs.json    PUBLISH    → supervisor   which files these are, and the facts for the log

An output set is rendered once: delivering it again after a crash must yield the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Identity, Job, Stage, StageRecord
from daemon.domain.transcript import AlignmentStatus
from daemon.domain.validation import Count, Finite, Line, Seconds, from_json
from daemon.files.atomic import write_atomically
from daemon.files.state_folder import job_file
from daemon.handoff import artefacts
from daemon.handoff.artefacts import OUTPUT_SET, OUTPUTS, PUBLISH_ORDER, InvalidArtefactError


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """The job whose artefacts are to be rendered, and how. `records` end with that of PUBLISH."""

    job: Job
    records: tuple[StageRecord, ...]
    config: Config

    def write(self, folder: Path) -> None:
        """Raises OSError."""
        about = _About(
            self.job.id,
            os.fsencode(self.job.source).hex(),
            self.job.identity,
            self.job.admitted_at,
            self.records,
        )
        # Not by write_json, which takes as long as all the rest of the start.
        order = msgspec.json.encode({"about": about, "config": self.config}, enc_hook=str)
        write_atomically(folder / PUBLISH_ORDER, order)

    @classmethod
    def read(cls, folder: Path) -> PublishOrder:
        data: dict[str, Any] = json.loads((folder / PUBLISH_ORDER).read_bytes())
        about = from_json(_About, json.dumps(data["about"]))
        source = Path(os.fsdecode(bytes.fromhex(about.source)))
        job = Job(about.id, source, about.identity, Stage.PUBLISH, about.admitted_at)
        return cls(job, about.records, config_file.validated(data["config"]))


@dataclass(frozen=True, slots=True)
class _About:
    """`source` is the path's bytes in hexadecimal: names need not be valid UTF-8."""

    id: int
    source: str
    identity: Identity
    admitted_at: float
    records: tuple[StageRecord, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the log says of a delivery."""

    backend: Line
    device: Line
    model: Line
    language: Line
    audio_seconds: Seconds
    segments: Count
    words: Count
    coverage: Finite
    alignment: AlignmentStatus


@dataclass(frozen=True, slots=True)
class OutputSet:
    """`name` is what the set should be called; `sizes` the bytes of each file, by suffix.

    `missing` says which of the wanted formats could not be rendered, and why.
    """

    name: Annotated[str, Meta(max_length=4_000, pattern=r"^(?!\.{1,2}$)[^/\0]+$")]
    sizes: Mapping[Annotated[str, Meta(pattern=r"^[a-z0-9]+(\.[a-z0-9]+)*$")], Count]
    facts: Facts
    missing: tuple[Line, ...] = ()

    def write(self, folder: Path, nonce: str) -> None:
        artefacts.write_artefact(folder / OUTPUT_SET, nonce, self)

    def paths(self, folder: Path) -> dict[str, str]:
        """Where its files lie in the job's folder, by suffix."""
        return {suffix: f"{folder}/{OUTPUTS}/{suffix}" for suffix in self.sizes}


def read_outputs(folder: Path, nonce: str | None = None) -> OutputSet:
    """The rendered set; with a nonce, only if that attempt rendered it.

    Raises InvalidArtefactError if there is none, or if a file of it is not as it was.
    """
    found = artefacts.read_artefact(job_file(folder, OUTPUT_SET), nonce, OutputSet)
    for suffix, expected in found.sizes.items():
        try:
            # Asked of every output three times a delivery: without a Path, for its speed.
            size = os.lstat(f"{folder}/{OUTPUTS}/{suffix}").st_size
        except FileNotFoundError:
            size = -1
        if size != expected:
            raise InvalidArtefactError(f"its {OUTPUTS}/{suffix} is not whole")
    return found


def find_outputs(folder: Path) -> OutputSet | None:
    """The whole output set, ready to be delivered; None if it is not there."""
    try:
        return read_outputs(folder)
    except InvalidArtefactError:
        return None
