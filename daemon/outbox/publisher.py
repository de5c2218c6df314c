"""The last steps of a file: its results into the outbox, its recording to done/ or failed/.

What the results are made of is rendered before, by a process of its own: output_set.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path, PurePosixPath

from daemon.config.settings import Config
from daemon.domain.job import Identity, Job
from daemon.domain.names import inside_inbox, plain, plain_name, stem_of
from daemon.domain.transcript import Json
from daemon.files.atomic import BreakOff, json_bytes, remove_hidden, write_atomically
from daemon.files.background import About, Background, UnderWayError
from daemon.files.moving import copy_whole, doomed
from daemon.files.permissions import share
from daemon.files.real_path import real_path
from daemon.files.recording import has_bytes, still_holds
from daemon.files.renaming import UNSPEAKABLE
from daemon.files.state_folder import job_folder
from daemon.handoff import artefacts
from daemon.handoff.outputs import OutputSet
from daemon.ledger.ledger import Ledger
from daemon.outbox import documents, finder_tag, placing, provenance, superseded
from daemon.outbox.archive import StaysError, file_away, remove, report_of
from daemon.outbox.emptied import EmptiedFolders

# Bytes of what is large: a copy takes seconds, and its removal takes some volumes as long.
_LARGE = 250_000_000
_FOLDERS = 8  # in the outbox, whose names are known: to list a large one takes a second


def _mirrored(folder: Path, inside: PurePosixPath) -> Path:
    """The same folder below `folder` as below the inbox; made if `folder` is there."""
    if not inside.parts:
        return folder
    target = folder / inside
    if folder.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    return target


class Publisher:
    """Publishes and files away. Every step may be repeated after a crash."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        jobs: Path,
        background: Background,
        may_break_off: BreakOff = nullcontext,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._jobs = jobs
        self._background = background  # where recordings are read or copied
        self._may_break_off = may_break_off  # around what takes long
        self._inbox = config.paths.inbox  # its real path, once that was asked for
        self._stems: dict[Path, placing.StemIndex] = {}  # by the folder in the outbox
        self.emptied = EmptiedFolders(config.paths.inbox)

    def use(self, config: Config) -> None:
        """From now on, these settings hold."""
        self._config = config
        self._inbox = config.paths.inbox

    def publish(self, job: Job, outputs: OutputSet) -> list[str]:
        """Put the rendered outputs into the outbox; return their paths below it, the JSON last.

        Raises OSError if it cannot take them.
        """
        files = outputs.paths(job_folder(self._jobs, job.id))
        stem, wanted = job.stem or self._stem_of_half(job), outputs.name
        inside = PurePosixPath(stem).parent if stem is not None else self.inside(job)
        outbox = _mirrored(self._config.paths.outbox, inside)
        stems = self._index(outbox)
        while True:
            if stem is None:
                stem = self._free_stem(job, inside, wanted, stems)
                self._ledger.reserve(job.id, stem)
            name = PurePosixPath(stem).name
            try:
                names = placing.publish(outbox, name, files, self._may_break_off)
            except placing.TakenError:
                pass  # somebody took the name since we chose it: choose again
            except OSError as error:
                if error.errno not in UNSPEAKABLE or wanted == plain(wanted):
                    raise
                wanted = plain(wanted)
            else:
                stems.add(name)
                self._share(outbox, names)
                return [f"{stem.removesuffix(name)}{published}" for published in names]
            stems.add(name)
            stem = None

    def _stem_of_half(self, job: Job) -> str | None:
        """The name of what was delivered of the recording's first part, which is withdrawn."""
        half = superseded.half_before(self._ledger, self._jobs, job)
        if half is None:
            return None
        transcripts = superseded.transcripts(self._jobs, half)
        if not superseded.withdraw(half, self._config.paths.outbox, transcripts):
            return None
        self._ledger.reserve(job.id, half.stem)
        return half.stem

    def _share(self, folder: Path, names: Iterable[str]) -> None:
        """Give the results the mode and the group that the configuration names."""
        output, outbox = self._config.output, self._config.paths.outbox
        if not (output.mode or output.group):
            return
        folders = [one for one in (folder, *folder.parents) if one.is_relative_to(outbox)]
        share([folder / name for name in names], folders, output.mode, output.group)

    def inside(self, job: Job) -> PurePosixPath:
        """The folder below the inbox that the recording lies in; outbox and done/ mirror it."""
        folder = job.source.parent
        inside = inside_inbox(folder, self._inbox)
        if not inside.parts and folder != self._inbox:
            self._inbox = real_path(self._config.paths.inbox)
            inside = inside_inbox(folder, self._inbox)
        return inside

    def _index(self, outbox: Path) -> placing.StemIndex:
        """The index of the names in that folder; those of the last few folders are kept."""
        if outbox not in self._stems:
            kept = [folder for folder, one in self._stems.items() if not one.is_being_listed]
            for oldest in kept[: -_FOLDERS + 1]:
                del self._stems[oldest]
            self._stems[outbox] = placing.StemIndex(outbox, may_break_off=self._may_break_off)
        return self._stems[outbox]

    def may_publish(self, job: Job) -> bool:
        """Whether a name can be chosen: those in the outbox are listed beside the loop."""
        if job.stem is not None:
            return True
        with suppress(OSError):  # publishing will say so
            outbox = self._config.paths.outbox / self.inside(job)
            return self._index(outbox).refresh(self._background.ask)
        return True

    def _free_stem(
        self, job: Job, inside: PurePosixPath, wanted: str, stems: placing.StemIndex
    ) -> str:
        reserved = self._ledger.reserved_stems(besides=job.id) | placing.RESERVED
        held = {placing.folded_name(one) for one in reserved}
        found = stems.free_stem(
            wanted, lambda name: placing.folded_name(str(inside / name)) in held
        )
        return str(inside / found)

    def published(self, job: Job, sha256: str) -> str | None:
        """The stem of the outbox's transcript of these bytes under this recording's name."""
        inside = self.inside(job)
        outbox = self._config.paths.outbox / inside
        found = provenance.stem_of_transcript(outbox, stem_of(job.source), job.name, sha256)
        return None if found is None else str(inside / found)

    def is_delivered(self, stem: str) -> bool:
        """Whether the outbox holds a whole output set of that name."""
        return (self._config.paths.outbox / f"{stem}.{placing.JSON}").is_file()

    def archive(self, job: Job) -> Path | None:
        """File the source away as output.source says, if it still holds what we read.

        Returns where the recording lies now; None if it is gone or was deleted.
        Raises StaysError if it cannot be moved, OSError if the folder cannot take it, and
        UnderWayError while it is copied or read.
        """
        policy = self._config.output.source
        if policy == "keep":
            return job.source
        with self._in_background(job):
            now = self._still_there(job)
            if now is None:  # gone, or another recording by now
                return None
            filed = None
            if policy == "delete":
                remove(job.source, now, self._unlink)
            else:
                done = _mirrored(self._config.paths.done, self.inside(job))
                filed = self._file_away(job, now, done)
                self._tag(filed, finder_tag.DONE)
        self._note_departure(job)
        return filed

    def quarantine(self, job: Job) -> tuple[Path, Path | None, str]:
        """Move a failed source to failed/, unless sources are kept; write NAME.error.json there.

        Returns the report's path, where the recording lies now (None if it is gone), and why it
        stays in the inbox although it should not ("" if it does not). Raises OSError, and
        UnderWayError while it is copied or read.
        """
        failed = _mirrored(self._config.paths.failed, self.inside(job))
        records = self._ledger.records(job.id, documents.REPORTED)
        target, stays = failed / job.source.name, ""
        recording: Path | None = job.source
        if self._config.output.source != "keep":
            try:
                with self._in_background(job):
                    now = self._still_there(job)
                    recording = None
                    if now is not None:
                        recording = self._file_away(job, now, failed)
                        self._tag(recording, finder_tag.FAILED)
                        target = recording or target
            except StaysError as error:
                stays = str(error)
            self._note_departure(job)
        report = self._write_report(target, documents.error(job, records, target.name))
        return report, recording, stays

    def _note_departure(self, job: Job) -> None:
        """Its folder, if that is one inside the inbox, may be empty now."""
        if self.inside(job).parts:
            self.emptied.note(job.source.parent)

    def _still_there(self, job: Job) -> Identity | None:
        """Of the file that was read, if it is there. Raises OSError."""
        digest = self._ledger.digest(job.id)
        return still_holds(job.source, job.identity, digest, partial(self._read_again, job))

    def _read_again(self, job: Job, now: Identity, sha256: str) -> bool:
        wanted = (job.source, now, sha256)
        work, is_long = partial(has_bytes, *wanted), now.size >= _LARGE
        about = About(job.id, "read", job.source.parent)
        return self._background.result(about, wanted, work, is_long=is_long)

    def _file_away(self, job: Job, now: Identity, folder: Path) -> Path | None:
        def copy(source: Path, identity: Identity, folder: Path) -> Path:
            # A copy of what it was before anybody touched it, even its times, is made anew.
            wanted = (source, identity, folder)
            work, is_long = partial(copy_whole, *wanted), identity.size >= _LARGE
            about = About(job.id, "copy", folder)
            return self._background.result(about, wanted, work, remove_hidden, is_long)

        return file_away(job.source, now, folder, copy, self._unlink)

    def _unlink(self, held: Path) -> None:
        if held.lstat().st_size < _LARGE:
            held.unlink()
        else:
            self._remove_later(held, held.parents[1])

    def _remove_later(self, file: Path, folder: Path) -> None:
        """Out of sight at once, into a `folder` that is swept at the next start."""
        self._background.do("remove", folder, partial(remove_hidden, doomed(file, folder)))

    @contextmanager
    def _in_background(self, job: Job) -> Iterator[None]:
        """Where work for the job may be begun in the background, and what came of it is kept."""
        try:
            yield
        except UnderWayError:
            raise
        except BaseException:
            self._background.drop(job.id)
            raise
        self._background.drop(job.id)

    def _tag(self, filed: Path | None, tag: str) -> None:
        """Not in the inbox: there, a changed attribute would make it another recording."""
        if filed is not None and self._config.notify.finder_tags:
            finder_tag.set_tag(filed, tag)

    def _write_report(self, file: Path, content: Json) -> Path:
        """Beside `file`; under a plain name where the volume cannot hold that one."""
        report = report_of(file)
        try:
            write_atomically(report, json_bytes(content))
        except OSError as error:
            if error.errno not in UNSPEAKABLE:
                raise
            report = report_of(file.with_name(plain_name(file.name)))
            write_atomically(report, json_bytes(content))
        return report

    def clear(self, job: Job) -> None:
        """Drop what a finished job does not need any more; what stays goes at the next start."""
        folder = job_folder(self._jobs, job.id)
        audio = f"{folder}/{artefacts.AUDIO}"
        with suppress(OSError):
            if os.lstat(audio).st_size >= _LARGE:
                self._remove_later(Path(audio), self._jobs.parent)
        with suppress(OSError):
            artefacts.drop(folder)
