"""A job's folder, made ready for a stage: the request in it, and nothing of earlier attempts."""

from __future__ import annotations

from msgspec import structs

from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.files.state_folder import job_file
from daemon.handoff import alignment_log, artefacts, lent
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.outputs import PublishOrder
from daemon.outbox import documents
from daemon.outbox.known_voices import KnownVoices
from daemon.supervisor.context import Context

_MB = 1_000_000
_MADE_FROM_RECORDING = (*artefacts.LARGE, artefacts.VOICES, artefacts.SPEAKERS)
_MADE_FROM_AUDIO = (
    artefacts.SEGMENTS,
    artefacts.TRANSCRIPT,
    alignment_log.NAME,
    artefacts.ALIGNMENT,
)


class JobFolders:
    """The settings that a stage goes by are written when it begins."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def prepare(self, job: Job, stage: Stage) -> bool:
        """Make the job folder ready for a stage; False if what it needs is not there any more."""
        folder = self._context.folder(job.id)
        if stage is Stage.PREPARE:
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:  # what was made of other bytes must not be delivered
                lent.drop_lent(folder)
                artefacts.drop(folder, _MADE_FROM_RECORDING)
            self._request(job).write(folder)
            return True
        needed = artefacts.TRANSCRIPT if stage is Stage.PUBLISH else artefacts.AUDIO
        if not job_file(folder, needed).exists():
            return False
        if stage is Stage.TRANSCRIBE:
            artefacts.drop(folder, _MADE_FROM_AUDIO)
            self._request(job).write(folder)  # anew: the settings may have changed since PREPARE
        if stage is Stage.PUBLISH:
            self._order(job).write(folder)
        return True

    def _order(self, job: Job) -> PublishOrder:
        ledger = self._context.ledger
        *earlier, own = ledger.records(job.id, documents.REPORTED)
        own = structs.replace(own, starts=own.starts + 1, started_at=self._context.unix_time())
        return PublishOrder(job, (*earlier, own), self._config_with_known_names(job))

    def _config_with_known_names(self, job: Job) -> Config:
        """The settings, with the names of voices that are known, where nobody else gave names."""
        config = self._context.config_where_good(job)
        if config.speakers.mode == "off" or not config.speakers.remember:
            return config
        try:
            diarization = artefacts.read_diarization(self._context.folder(job.id))
        except artefacts.InvalidArtefactError:
            return config
        state = config.paths.state
        known = KnownVoices.load(state)
        known.note(job.id, diarization)
        known.save(state)
        given = config.speakers.names
        names = [
            (given[number] if number < len(given) else "") or name
            for number, name in enumerate(known.names(diarization))
        ]
        speakers = structs.replace(config.speakers, names=tuple(names))
        return structs.replace(config, speakers=speakers)

    def _request(self, job: Job) -> JobRequest:
        config = self._context.config_where_good(job)
        glossary = ", ".join(config.vocabulary.words)
        prompt = " ".join(filter(None, (glossary, config.transcribe.initial_prompt)))
        least, most = config.speakers.counts
        return JobRequest(
            source=job.source,
            identity=job.identity,
            language=config.transcribe.language or None,
            languages=config.transcribe.languages,
            initial_prompt=prompt or None,
            max_bytes=config.limits.max_file_mb * _MB,
            max_seconds=config.limits.max_audio_hours * 3600,
            min_free_bytes=config.limits.min_free_mb * _MB,
            fallback=config.align.fallback if config.align.enabled else "segments",
            speakers=config.speakers.mode,
            tracks=config.audio.tracks,
            translate=config.transcribe.task == "translate",
            beam_size=config.transcribe.beam_size,
            min_speakers=least,
            max_speakers=most,
        )
