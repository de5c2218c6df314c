"""Which recordings were transcribed by a stand-in, and are to be transcribed again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from daemon.commands.find_job import opened_ledger, real_inbox
from daemon.commands.realign import find_recording
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.domain.names import inside_inbox
from daemon.errors import DropscribeError
from daemon.files.moving import move_without_clobbering
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts


def retry_stand_ins(config: Config) -> bool:
    """Move their recordings back into the inbox; False if one could not be.

    A recording that is kept in the inbox stays there as delivered: it is named, with what to do.
    """
    well, inbox = True, real_inbox(config.paths)
    for job, sha256 in _made_by_stand_ins(config):
        try:
            recording = find_recording(config, job, sha256)
            if recording == job.source:
                raise DropscribeError(
                    f"{job.name}: it was kept in the inbox; run: dropscribe transcribe {recording}"
                )
            _put_back(recording, config.paths.inbox / inside_inbox(job.source.parent, inbox))
        except DropscribeError as error:
            click.echo(f"dropscribe: {error}", err=True)
            well = False
        else:
            print(f"{job.name}: back in the inbox")
    return well


def _made_by_stand_ins(config: Config) -> Iterator[tuple[Job, str]]:
    """Jobs whose latest result for the same recording is a stand-in's, and its SHA-256."""
    seen: set[str] = set()
    with opened_ledger(config.paths) as ledger:
        if ledger is None:
            return
        finished = (job for job in ledger.newest() if job.next is Stage.DONE)
        for job in finished:
            folder = config.paths.state / JOBS / str(job.id)
            try:
                sha256 = artefacts.read_prepared(folder).sha256
                stood_in = artefacts.read_recognition(folder).stands_in_for
            except artefacts.InvalidArtefactError:
                continue  # it is no longer kept
            if sha256 not in seen and stood_in:
                yield job, sha256
            seen.add(sha256)


def _put_back(recording: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        move_without_clobbering(recording, folder / recording.name)
    except FileExistsError as error:
        raise DropscribeError(
            f"{recording.name}: the inbox holds another file of that name: move that first"
        ) from error
