"""The files that a job's stages hand to one another in its folder, and reading them with distrust.

    request.json      supervisor  → all stages    what the file is and what is wanted
    options.json      TRANSCRIBE  → PUBLISH       what was wanted when it was transcribed
    audio.npy         PREPARE     → TRANSCRIBE, ALIGN   16 kHz mono int16, for memory-mapping
    prepared.json     PREPARE     → TRANSCRIBE, PUBLISH what was decoded; the speech found in it
    segments.jsonl    TRANSCRIBE  → ALIGN         a header, then each segment as it is decoded
    transcript.json   TRANSCRIBE  → ALIGN, PUBLISH
    aligned.jsonl     ALIGN       → the next ALIGN      what was tried and what came of it
    alignment.json    ALIGN       → PUBLISH
    voices.npz        DIARIZE     → the next DIARIZE    what it heard: speakers can be counted anew
    speakers.json     DIARIZE     → PUBLISH       (PREPARE → PUBLISH, if speakers are channels)
    outputs.py tells of what PUBLISH reads and writes besides.

Each JSON artefact carries the nonce of the attempt that wrote it: a result counts only if its
nonce is the one we are waiting for, whatever the exit status said.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from daemon.domain.job import Identity, Stage
from daemon.domain.speakers import Diarization
from daemon.domain.transcript import Alignment, Json, Recognition
from daemon.domain.validation import Count, Line, Seconds, Sha256, Time, from_json, to_json
from daemon.files.atomic import json_bytes, sweep_temporaries, write_atomically, write_json
from daemon.files.state_folder import TEMP_PREFIX, job_file

REQUEST = "request.json"
OPTIONS = "options.json"
AUDIO = "audio.npy"
PARTIAL_AUDIO = "audio.npy.partial"
PREPARED = "prepared.json"
SEGMENTS = "segments.jsonl"
TRANSCRIPT = "transcript.json"
ALIGNMENT = "alignment.json"
VOICES = "voices.npz"
SPEAKERS = "speakers.json"
PUBLISH_ORDER = "publish.json"
FORMATS_LOG = "formats.log"
OUTPUTS = "outputs"
PARTIAL_OUTPUTS = "outputs.partial"
OUTPUT_SET = "outputs.json"
LOG = "job.log"

_MAX_BYTES = 500_000_000  # of an artefact: the words of hundreds of hours

# What a finished job does not need any more; the small artefacts allow realign and render.
LARGE = (
    AUDIO,
    PARTIAL_AUDIO,
    "tracks.partial",
    OUTPUT_SET,  # before the files that it promises
    OUTPUTS,
    PARTIAL_OUTPUTS,
    PUBLISH_ORDER,
    FORMATS_LOG,
)


T = TypeVar("T")


class InvalidArtefactError(Exception):
    """A stage's result is missing, broken, or from another attempt."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What every stage may know about a file. `source` may hold undecodable bytes (surrogates)."""

    source: Path
    identity: Identity
    language: str | None
    languages: tuple[str, ...]
    initial_prompt: str | None
    max_bytes: int
    max_seconds: float
    min_free_bytes: int = 0
    # Whose words get Whisper's own times: nobody's ("segments"), those without an aligner on this
    # machine ("auto"), or everybody's ("asr").
    fallback: str = "segments"
    speakers: str = "off"  # how they are told apart: by their "voices", or by "channels"
    tracks: str = "mix"  # of several audio tracks: "mix", "first" or "all"
    translate: bool = False  # into English
    beam_size: int = 1  # transcripts of a stretch of speech that are followed at once
    min_speakers: int = 1
    max_speakers: int = 20

    def write(self, folder: Path) -> None:
        """If it is not there already, as PREPARE had it. Raises OSError."""
        data = {name: getattr(self, name) for name in self.__slots__}
        data |= {"source": os.fsencode(self.source).hex(), "identity": to_json(self.identity)}
        raw, path = json_bytes(data, indent=None), job_file(folder, REQUEST)
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == raw:
                return
        write_atomically(path, raw)

    @classmethod
    def read(cls, folder: Path) -> JobRequest:
        """One of an earlier version may lack what has a default."""
        data = json.loads((folder / REQUEST).read_bytes())
        given = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        given["source"] = Path(os.fsdecode(bytes.fromhex(data["source"])))
        given["identity"] = Identity(**data["identity"])
        given["languages"] = tuple(data["languages"])
        return cls(**given)

    def write_options(self, folder: Path) -> None:
        """What provenance says of the wishes; the prompt itself may be private. Raises OSError."""
        options = {
            "language": self.language,
            "languages": list(self.languages),
            "initial_prompt": bool(self.initial_prompt),
            **({"task": "translate"} if self.translate else {}),
            **({"beam_size": self.beam_size} if self.beam_size > 1 else {}),
        }
        write_json(folder / OPTIONS, options)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the recording, in seconds since its start."""

    start: Seconds
    end: Seconds
    title: Line


@dataclass(frozen=True, slots=True)
class Lane:
    """A track or channel that is transcribed by itself: `seconds` of audio.npy from `offset`."""

    name: Line
    offset: Time
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class TrackState:
    """An audio track of the file; `left_out` says why it was not transcribed, if it was not."""

    name: Line
    left_out: Line = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What PREPARE found. `speech` is (start, end) in seconds of audio.npy; `recorded_at` ISO 8601.

    `lanes` are several, or none: then audio.npy is the recording, `duration` seconds long. They are
    its `tracks`, a transcript each, or `channels` with a speaker each, who share a transcript.
    """

    sha256: Sha256
    bytes: Count
    duration: Seconds
    container: Line
    codec: Line
    recorded_at: Line | None
    warnings: tuple[Line, ...]
    speech: tuple[tuple[Time, Time], ...]
    is_cut_off: bool = False  # it is shorter than its own header says
    title: Line | None = None
    artist: Line | None = None
    album: Line | None = None
    chapters: tuple[Chapter, ...] = ()
    lanes: tuple[Lane, ...] = ()
    lanes_are: Literal["tracks", "channels"] = "tracks"
    tracks: tuple[TrackState, ...] = ()  # if there are several

    @property
    def audio_seconds(self) -> float:
        """How much there is to transcribe."""
        return max([self.duration, *(lane.offset + lane.seconds for lane in self.lanes)])


def write_artefact(path: Path, nonce: str, content: object) -> None:
    """`content` is one of the artefacts' dataclasses."""
    write_json(path, {"nonce": nonce, **to_json(content)})


def read_prepared(folder: Path, nonce: str | None = None) -> Prepared:
    return read_artefact(job_file(folder, PREPARED), nonce, Prepared)


def audio_seconds(folder: Path) -> float:
    """How much there is to transcribe. Raises InvalidArtefactError."""
    try:
        found = job_file(folder, PREPARED).stat()
    except FileNotFoundError as error:
        raise InvalidArtefactError(f"there is no {PREPARED}") from error
    return _audio_seconds(folder, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=256)
def _audio_seconds(folder: Path, *_: int) -> float:
    """Asked before each stage: remembered for as long as the file is the same."""
    return read_prepared(folder).audio_seconds


def read_recognition(folder: Path, nonce: str | None = None) -> Recognition:
    return read_artefact(job_file(folder, TRANSCRIPT), nonce, Recognition)


def read_alignment(folder: Path, nonce: str | None = None) -> Alignment:
    return read_artefact(job_file(folder, ALIGNMENT), nonce, Alignment)


def read_options(folder: Path) -> Json:
    """The settings that the transcript was made with; none, where that is not known."""
    unknown: Json = {"language": None, "languages": [], "initial_prompt": False}
    try:
        data = json.loads((folder / OPTIONS).read_bytes())
    except (OSError, ValueError):
        return unknown
    return unknown | data if isinstance(data, dict) else unknown


def read_diarization(folder: Path, nonce: str | None = None) -> Diarization:
    return read_artefact(folder / SPEAKERS, nonce, Diarization)


def drop(folder: Path, unwanted: Collection[str] = LARGE) -> None:
    """Remove these artefacts, and what is half-written. Raises OSError."""
    try:
        with os.scandir(folder) as entries:  # one look: most of them are not there
            found = {entry.name: entry for entry in entries}
    except FileNotFoundError:  # a file that was refused unread has no folder
        return
    if any(name.startswith(TEMP_PREFIX) for name in found):
        sweep_temporaries(folder)
    for entry in [found[name] for name in unwanted if name in found]:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry)  # noqa: PTH108 - no Path, for its speed


def is_whole(folder: Path, stage: Stage) -> bool:
    """Whether that stage's artefact is there and stands up."""
    read = read_recognition if stage is Stage.TRANSCRIBE else read_alignment
    try:
        read(folder)
    except InvalidArtefactError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Envelope:
    nonce: Line


def read_artefact(path: Path, nonce: str | None, kind: type[T]) -> T:
    """The artefact at `path`; with a nonce, only if that attempt wrote it.

    Raises InvalidArtefactError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size  # as much memory is taken as is asked for
            raw = os.read(fd, min(size, _MAX_BYTES) + 1)
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        raise InvalidArtefactError(f"it wrote no {path.name}") from error
    try:
        if len(raw) > _MAX_BYTES:
            raise ValueError("it is too large")
        if len(raw) > size:
            raise ValueError("it is still written to")
        if nonce is not None and from_json(_Envelope, raw).nonce != nonce:
            raise ValueError("it is from another attempt")
        return from_json(kind, raw)
    except ValueError as error:
        raise InvalidArtefactError(f"its {path.name} is broken ({error})") from error
