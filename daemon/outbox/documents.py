"""The two JSON documents of a delivery, built from the stages' artefacts. Pure.

Their shapes are in schema.py, from which the schemas in bundled/schemas/ are generated.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from daemon import __version__
from daemon.domain.job import Job, Stage, StageRecord
from daemon.domain.names import printable
from daemon.domain.speakers import Diarization
from daemon.domain.transcript import Alignment, Doubt, Json, Recognition, Segment, coverage
from daemon.domain.validation import to_json
from daemon.handoff.artefacts import Lane, Prepared
from daemon.outbox import attribution, lanes
from daemon.outbox.timestamps import settle_times

# What timing.json tells of; of DIARIZE only if it was begun.
REPORTED = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE, Stage.PUBLISH)
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Results:
    """What the stages made of a recording, or of one of its tracks."""

    prepared: Prepared
    recognition: Recognition
    alignment: Alignment
    options: Mapping[str, object]
    diarization: Diarization | None = None  # None: nobody asked

    @property
    def is_call(self) -> bool:
        """Whether lanes are the channels of one conversation."""
        return bool(self.prepared.lanes) and self.prepared.lanes_are == "channels"

    def by_transcript(self) -> list[Results]:
        """Those of every transcript that there is to be: several where tracks have one each."""
        if not self.prepared.lanes or self.is_call:
            return [self]
        return [self._of_track(lane) for lane in self.prepared.lanes]

    def _of_track(self, lane: Lane) -> Results:
        recognition = lanes.recognition_of(self.recognition, lane)
        words = lanes.words_of(self.alignment.words, recognition, lane)
        return Results(
            replace(self.prepared, duration=lane.seconds, lanes=()),
            recognition,
            replace(self.alignment, words=words),
            {**self.options, "track": lane.name},
            self.diarization and lanes.turns_of(self.diarization, lane),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything that is known about a transcribed file."""

    job: Job
    prepared: Prepared
    recognition: Recognition
    alignment: Alignment
    segments: tuple[Segment, ...]
    options: Mapping[str, object]
    diarization: Diarization | None = None
    speakers: tuple[str, ...] = ()  # what the diarization's voices are called

    @classmethod
    def of(cls, job: Job, results: Results, names: Sequence[str] = ()) -> Delivery:
        """Join the words to their segments, settle every time, and say who speaks.

        `names` are those of the diarization's voices, as far as known.
        """
        prepared, recognition = results.prepared, results.recognition
        alignment, diarization = results.alignment, results.diarization
        joined = [
            replace(segment, words=alignment.words.get(segment.id, ()))
            for segment in recognition.segments
        ]
        speakers: tuple[str, ...] = ()
        if diarization is not None:
            speakers = attribution.labels(diarization, names)
        if results.is_call:
            segments = lanes.merged(joined, prepared.lanes, speakers, prepared.duration)
            check = lanes.checks(recognition.check, prepared.lanes)
            recognition = replace(recognition, check=check)
        else:
            segments = settle_times(joined, prepared.duration)
            if diarization is not None:
                segments = attribution.attribute(segments, diarization.turns, speakers)
        return cls(
            job,
            prepared,
            recognition,
            alignment,
            segments,
            results.options,
            diarization,
            speakers,
        )

    @property
    def name_fields(self) -> dict[str, str]:
        """What `output.name` may say: where a value is unknown, it is empty."""
        recorded = self.prepared.recorded_at or _iso(self.job.admitted_at)
        return {
            "stem": self.job.source.name.removesuffix(self.job.source.suffix),
            "date": recorded[:10],
            "language": self.recognition.language,
        }

    @property
    def words(self) -> list[Json]:
        return [word for segment in self.segments for word in _words(segment)]


def transcript(delivery: Delivery, compact: bool = False) -> Json:
    """NAME.json: a superset of WhisperX's result, with the detected language.

    `compact` leaves out the second copy of every word, `word_segments`.
    """
    recognition, prepared = delivery.recognition, delivery.prepared
    second_copy = {} if compact else {"word_segments": delivery.words}
    return {
        "schema_version": SCHEMA_VERSION,
        "text": " ".join(segment.text.strip() for segment in delivery.segments),
        "language": recognition.language,
        "language_probability": round(recognition.language_probability, 4),
        "languages": _languages(delivery),
        "duration": prepared.duration,
        "segments": [segment_json(segment) for segment in delivery.segments],
        **second_copy,
        "alignment": {
            "status": delivery.alignment.status,
            "reason": delivery.alignment.reason,
            "model": delivery.alignment.model,
            "coverage": coverage(delivery.segments),
        },
        **_speakers_of(delivery),
        "check": [_doubt(doubt) for doubt in recognition.check],
        "provenance": _provenance(delivery),
    }


def _words(segment: Segment) -> list[Json]:
    speaker = {"speaker": segment.speaker} if segment.speaker else {}
    return [asdict(word) | speaker for word in segment.words]


def _speakers_of(delivery: Delivery) -> Json:
    diarization = delivery.diarization
    return {} if diarization is None else speakers_json(diarization, delivery.speakers)


def speakers_json(diarization: Diarization, speakers: Sequence[str]) -> Json:
    """What NAME.json says of its speakers, who are called `speakers`."""
    return {
        "speakers": attribution.summary(diarization, speakers),
        "diarization": {
            "status": diarization.status,
            "reason": diarization.reason,
            "method": diarization.method,
            "overlaps": attribution.overlaps(diarization, speakers),
        },
    }


def _languages(delivery: Delivery) -> list[str]:
    """Every language that is spoken, the one that is spoken longest first."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for segment in delivery.segments:
        seconds[segment.language or delivery.recognition.language] += segment.end - segment.start
    return sorted(seconds, key=lambda code: -seconds[code])


def _doubt(doubt: Doubt) -> Json:
    return {"start": round(doubt.start, 3), "end": round(doubt.end, 3), "reason": doubt.reason}


def segment_json(segment: Segment) -> Json:
    known = {key: value for key, value in to_json(segment).items() if value is not None}
    return known | {
        "words": _words(segment),
        "avg_logprob": round(segment.avg_logprob, 4),
        "no_speech_prob": round(segment.no_speech_prob, 4),
    }


def _provenance(delivery: Delivery) -> Json:
    recognition, prepared = delivery.recognition, delivery.prepared
    return {
        "source": printable(delivery.job.source.name),
        "sha256": prepared.sha256,
        "bytes": prepared.bytes,
        "container": prepared.container,
        "codec": prepared.codec,
        "recorded_at": prepared.recorded_at,
        "title": prepared.title,
        "artist": prepared.artist,
        "album": prepared.album,
        "chapters": [asdict(chapter) for chapter in prepared.chapters],
        "tracks": [
            {"name": track.name, "left_out": track.left_out or None} for track in prepared.tracks
        ],
        "warnings": [*prepared.warnings, *recognition.warnings],
        "backend": recognition.backend,
        "device": recognition.device,
        "model": recognition.model,
        "model_revision": recognition.model_revision,
        "stand_in": recognition.stands_in_for or None,
        "versions": {"dropscribe": __version__, **recognition.versions},
        "options": dict(delivery.options),
    }


def timing(
    delivery: Delivery, records: Sequence[StageRecord], now: float, compact: bool = False
) -> Json:
    """NAME.timing.json: what each stage cost, and every word's times. `now` is Unix time.

    `compact` leaves out the words, which NAME.json has as well.
    """
    total = max(now - delivery.job.admitted_at, 0.0)
    keys = ("word", "start", "end", "score")
    words = [{key: word[key] for key in keys} for word in delivery.words]
    return {
        "schema_version": SCHEMA_VERSION,
        "audio_seconds": delivery.prepared.duration,
        "stages": stages(delivery.job, records, now),
        "total_seconds": round(total, 3),
        "speed": round(delivery.prepared.duration / total, 3) if total else 0.0,
        **({} if compact else {"words": words}),
    }


def stages(job: Job, records: Sequence[StageRecord], now: float) -> dict[str, Json]:
    """What each stage took so far, in the order in which a file travels. `now` is Unix time."""
    admitted = job.admitted_at
    begun = (
        next((record.started_at for record in records if record.stage is Stage.PREPARE), None)
        or now
    )
    queued = StageRecord(Stage.PREPARE, 1, 0, admitted, max(begun, admitted), exit="ok")
    begun_only = [
        record for record in records if record.stage is not Stage.DIARIZE or record.starts
    ]
    known = {"queued": queued} | {str(record.stage): record for record in begun_only}
    return {name: _stage(record) for name, record in known.items()}


def _stage(record: StageRecord) -> Json:
    start, end = record.started_at or 0.0, record.ended_at or record.started_at or 0.0
    return {
        "start": _iso(start) if start else None,
        "end": _iso(end) if end else None,
        "seconds": round(max(end - start, 0.0), 3),
        "cpu_seconds": round(record.cpu_seconds, 3),
        "peak_rss_bytes": record.peak_rss_bytes,
        "attempts": record.starts,
        "exit": record.exit or "skipped",
    }


def error(job: Job, records: Sequence[StageRecord], file: str) -> Json:
    """NAME.error.json, beside a file in failed/ whose name, byte for byte, is `file`."""
    failure = job.failure
    return {
        "schema_version": SCHEMA_VERSION,
        "source": job.name,
        "file": file,
        "job": job.id,
        "stage": failure.stage if failure else None,
        "kind": failure.kind if failure else None,
        "reason": failure.message if failure else "",
        "remedy": f"when the cause is gone: dropscribe retry {job.id}",
        "admitted_at": _iso(job.admitted_at),
        "attempts": {str(record.stage): record.starts for record in records if record.starts},
    }


def _iso(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
