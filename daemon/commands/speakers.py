"""`dropscribe speakers JOB|NAME|PATH`: who speaks, counted anew or by name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, opened_ledger
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.domain.names import printable, stem_of
from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.domain.transcript import Json, Segment
from daemon.domain.validation import from_json
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.files.atomic import json_bytes, write_atomically
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts
from daemon.outbox import attribution, documents, placing
from daemon.outbox.known_voices import KnownVoices, forget
from daemon.outbox.rendition import rendition
from daemon.rendering.formats import FORMATS


@command(
    examples=[
        ("dropscribe speakers 12", "who speaks in job 12, and for how long"),
        ("dropscribe speakers 12 --name 1=Ada --name 2=Bob", "their names, in all its files"),
        ("dropscribe speakers talk.m4a --count 3", "there are three of them: tell them apart anew"),
        ("dropscribe speakers forget Ada", "her voice, kept by speakers.remember; or all voices"),
    ]
)
@click.argument("which", type=JOB, metavar="JOB|NAME|PATH")
@click.argument("person", required=False, default="", metavar="[PERSON]")
@click.option("--count", type=click.IntRange(1, 100), help="How many speakers there are.")
@click.option("--name", "names", multiple=True, metavar="N=NAME", help="What speaker N is called.")
@click.option("--force", is_flag=True, help="Replace files that were changed by hand, too.")
def speakers(
    config_path: Path,
    which: str,
    person: str,
    count: int | None,
    names: tuple[str, ...],
    force: bool,
) -> int:
    """Show, count anew or name the speakers of a delivered job, without transcribing again."""
    config = config_file.load(config_path)
    if which == "forget":
        return _forget(config, person)
    if person:
        raise UsageError("one job at a time; a person is named with --name 1=NAME")
    with opened_ledger(config.paths) as ledger:
        job = find_job(ledger, config.paths, which, _is_delivered, "delivered job")
    given = _numbered(names)
    delivered = _Delivered.of(config, job)
    document = delivered.document
    if count is not None:
        document = _recounted(document, config.paths.state / JOBS / str(job.id), count)
    document = _named(document, given)
    changed = document != delivered.document
    all_replaced = delivered.replace(document, force) if changed else True
    if config.speakers.remember and given:
        _remember(config, job, given)
    for number, one in enumerate(document["speakers"], 1):
        print(f"{number}  {printable(one['speaker'])}  {one['seconds']:.0f} s")
    return OK if all_replaced else FAILED


def _remember(config: Config, job: Job, given: Mapping[int, str]) -> None:
    """Keep the voices of those who got a name."""
    known = KnownVoices.load(config.paths.state)
    with contextlib.suppress(artefacts.InvalidArtefactError):  # else: as they were delivered
        known.note(job.id, artefacts.read_diarization(config.paths.state / JOBS / str(job.id)))
    for name in known.learn(job.id, given):
        print(f"{printable(name)}: this voice is no longer kept, so it is not remembered")
    known.save(config.paths.state)


def _forget(config: Config, person: str) -> int:
    if forget(config.paths.state, person or None):
        print(f"{printable(person) or 'every voice'}: forgotten; what was delivered stays")
        return OK
    raise DropscribeError(f"there is no voice to forget{person and f' of {printable(person)}'}")


def _is_delivered(job: Job) -> bool:
    return job.next is Stage.DONE and job.stem is not None


def _numbered(names: Sequence[str]) -> dict[int, str]:
    """Names by number, from 1=Ada. Raises UsageError."""
    found: dict[int, str] = {}
    for text in names:
        number, _, name = text.partition("=")
        if not number.strip().isdecimal() or not name.strip() or not name.isprintable():
            raise UsageError(f"{printable(text)}: say which speaker is who, such as 1=Ada")
        found[int(number)] = " ".join(name.split())
    return found


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A delivered job's files: the JSON, and those that are made from it."""

    config: Config
    job: Job
    stem: str
    document: Json

    @classmethod
    def of(cls, config: Config, job: Job) -> _Delivered:
        path = config.paths.outbox / f"{job.stem}.{placing.JSON}"
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise DropscribeError(f"there is no {printable(str(path))}") from None
        except ValueError as error:
            raise DropscribeError(f"{printable(path.name)} is no transcript of ours") from error
        if not isinstance(document, dict) or not document.get("speakers"):
            raise DropscribeError(
                f"{job.name}: its speakers were not told apart; transcribe it again with"
                " --speakers voices, or set speakers.mode in the configuration"
            )
        return cls(config, job, job.stem or "", document)

    def replace(self, document: Json, force: bool) -> bool:
        """Write the JSON and every file that is made from it; False if one was left as it is."""
        outbox = self.config.paths.outbox
        there = [
            name
            for name, kind in FORMATS.items()
            if (outbox / f"{self.stem}.{kind.suffix}").is_file()
        ]
        before, after = self._rendered(self.document, there), self._rendered(document, there)
        whole = True
        for name, data in after.items():
            path = outbox / f"{self.stem}.{name}"
            if not (force or self._is_ours(path, before[name])):
                print(f"{printable(path.name)} was changed by hand: left as it is (see --force)")
                whole = False
            else:
                write_atomically(path, data)
        write_atomically(outbox / f"{self.stem}.{placing.JSON}", json_bytes(document))
        return whole

    def _is_ours(self, path: Path, rendered: bytes) -> bool:
        """Whether nobody has changed it: it is as old as the delivery, or what we would write."""
        delivered_at = self.job.finished_at or 0.0
        return path.stat().st_mtime <= delivered_at or path.read_bytes() == rendered

    def _rendered(self, document: Json, names: Sequence[str]) -> dict[str, bytes]:
        source, stages = self.job.source, self._stages()
        folder = (self.config.paths.outbox / self.stem).parent
        try:
            return rendition(self.config, names, document, stem_of(source), stages, source, folder)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            name = f"{self.stem}.{placing.JSON}"
            raise DropscribeError(f"{printable(name)} is no transcript of ours: {error}") from error

    def _stages(self) -> Mapping[str, Json]:
        path = self.config.paths.outbox / f"{self.stem}.timing.json"
        try:
            stages: Mapping[str, Json] = json.loads(path.read_bytes())["stages"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return stages


def _recounted(document: Json, folder: Path, count: int) -> Json:
    """The document with so many speakers, told apart by what the networks heard in their time."""
    from daemon.diarization import heard_file  # noqa: PLC0415 - heavy
    from daemon.diarization.clustering import Count  # noqa: PLC0415
    from daemon.diarization.diarizer import arrange  # noqa: PLC0415

    try:
        heard = heard_file.load(folder / artefacts.VOICES)
    except (OSError, ValueError, KeyError) as error:
        message = "what was heard of the speakers is not kept (never with speakers.model)"
        raise DropscribeError(f"{message}: transcribe it again") from error
    turns, voices = arrange(heard, Count(count, count))
    found = Diarization(DiarizationStatus.COMPLETE, voices=tuple(voices), turns=tuple(turns))
    artefacts.write_artefact(folder / artefacts.SPEAKERS, "", found)
    names = attribution.labels(found, ())
    rows = [from_json(Segment, json.dumps(row)) for row in document["segments"]]
    said = [
        documents.segment_json(segment)
        for segment in attribution.attribute(rows, found.turns, names)
    ]
    words = [word for row in said for word in row["words"]]
    second_copy = {"word_segments": words} if "word_segments" in document else {}
    return document | documents.speakers_json(found, names) | {"segments": said} | second_copy


def _named(document: Json, given: Mapping[int, str]) -> Json:
    """The document with these speakers' names everywhere. Raises UsageError."""
    known = [str(one["speaker"]) for one in document["speakers"]]
    if unknown := [number for number in given if not 1 <= number <= len(known)]:
        raise UsageError(f"there is no speaker {unknown[0]}: there are {len(known)}")
    names = [given.get(number, name) for number, name in enumerate(known, 1)]
    if len(set(names)) < len(names):
        raise UsageError(
            "two speakers would have the same name: say with --count that they are one"
        )
    new = dict(zip(known, names, strict=True))

    def rows(table: Sequence[Json]) -> list[Json]:
        return [
            row | ({"speaker": new.get(row["speaker"], row["speaker"])} if "speaker" in row else {})
            for row in table
        ]

    segments = [row | {"words": rows(row["words"])} for row in rows(document["segments"])]
    diarization = document["diarization"]
    overlaps = [
        one | {"speakers": [new.get(name, name) for name in one["speakers"]]}
        for one in diarization["overlaps"]
    ]
    renamed = {
        "segments": segments,
        "speakers": rows(document["speakers"]),
        "diarization": diarization | {"overlaps": overlaps},
    }
    if "word_segments" in document:
        renamed["word_segments"] = rows(document["word_segments"])
    return document | renamed
