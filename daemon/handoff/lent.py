"""What goes to another machine with a recording, and what comes back.

    lend.json        supervisor → cluster child    how the recording is to be worked on
    lent-NONCE/      cluster child → supervisor    the artefacts of all stages but PUBLISH, and
                                                   lent.json: who did it, and what it cost
The folder is the attempt's own: an answer that comes too late lies in nobody's way. The supervisor
moves the artefacts to where the stages here would have written them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import Stage
from daemon.domain.speakers import Diarization
from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Json,
    Recognition,
)
from daemon.domain.validation import Count, Line, Seconds, to_json
from daemon.files.atomic import sync_folder, write_json
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError, Prepared, read_artefact

ORDER = "lend.json"
REPORT = "lent.json"
PREFIX = "lent-"

# What comes back, the transcript last: without it, the rest is prepared again.
ARTEFACTS = (
    artefacts.PREPARED,
    artefacts.ALIGNMENT,
    artefacts.SPEAKERS,
    artefacts.VOICES,
    artefacts.TRANSCRIPT,
)


@dataclass(frozen=True, slots=True)
class LentStage:
    """What a stage cost the machine that ran it."""

    stage: Stage
    seconds: Seconds
    cpu_seconds: Seconds
    peak_rss_bytes: Count


@dataclass(frozen=True, slots=True)
class LentReport:
    """Who did it. `waited`: seconds until the last answer since the recording was there whole."""

    host: Line
    stages: tuple[LentStage, ...]
    waited: Seconds


@dataclass(frozen=True, slots=True)
class LentResults:
    """All that came back, read and found whole."""

    report: LentReport
    prepared: Prepared
    recognition: Recognition
    alignment: Alignment | None
    diarization: Diarization | None

    @property
    def lacked_aligner(self) -> bool:
        """Whether its words have Whisper's own times only, for want of an aligner."""
        if self.alignment is None or not self.alignment.words:
            return False
        return self.alignment.status is AlignmentStatus.PARTIAL and not self.alignment.model


def write_order(folder: Path, profile: Json, is_aligned: bool, speakers: str) -> None:
    """`profile` holds the tables of a profile (config/profile.py)."""
    wanted = {"aligned": is_aligned, "speakers": speakers}
    write_json(folder / ORDER, {"profile": profile, "wanted": wanted})


def read_order(folder: Path) -> Json:
    """The profile in `folder`'s order."""
    order: Json = json.loads((folder / ORDER).read_bytes())
    profile: Json = order["profile"]
    return profile


def results_folder(folder: Path, nonce: str) -> Path:
    return folder / f"{PREFIX}{nonce}"


def read_results(folder: Path, nonce: str) -> LentResults:
    """What came back for that attempt; everything that was ordered must be there.

    Raises InvalidArtefactError, OSError.
    """
    inside = results_folder(folder, nonce)
    wanted = json.loads((folder / ORDER).read_bytes())["wanted"]
    report = read_artefact(inside / REPORT, nonce, LentReport)
    prepared = artefacts.read_prepared(inside, nonce)
    recognition = artefacts.read_recognition(inside, nonce)
    alignment = diarization = None
    if wanted["aligned"] and recognition.segments:
        alignment = artefacts.read_alignment(inside, nonce)
        if alignment.status is AlignmentStatus.FAILED:  # it may lack a model that is here
            raise InvalidArtefactError(f"its words have no times ({alignment.reason})")
    if wanted["speakers"] != "off" and recognition.segments:
        diarization = artefacts.read_diarization(inside, nonce)
    return LentResults(report, prepared, recognition, alignment, diarization)


def take_over(folder: Path, nonce: str, results: LentResults, without_words: bool = False) -> None:
    """Put what came back where the stages here would have written it. Raises OSError."""
    inside = results_folder(folder, nonce)
    recognition = results.recognition
    lines = [{"language": recognition.language}, *map(to_json, recognition.segments)]
    (folder / artefacts.SEGMENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ARTEFACTS:
        if (inside / name).is_file() and not (without_words and name == artefacts.ALIGNMENT):
            (inside / name).replace(folder / name)
    sync_folder(folder)
    drop_lent(folder)


def drop_lent(folder: Path) -> None:
    """Remove what came back and was not taken over: it came too late, or was not whole."""
    for path in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
