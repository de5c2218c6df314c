"""A queue as a daemon leaves it, without one: rows in the ledger, files in the folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.structs import asdict

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Candidate, Failure, FailureKind, Identity, Job, Stage
from daemon.files.state_folder import LEDGER
from daemon.ledger.ledger import Ledger
from daemon.outbox import documents
from daemon.outbox.archive import report_of
from tests.kit.daemon_process import DEMO, Tables, configured

_TO_DONE = (Stage.TRANSCRIBE, Stage.ALIGN, Stage.PUBLISH, Stage.DONE)


class QueueOnDisk:
    """Folders in `root`, a configuration, and jobs in whatever state a test wants."""

    def __init__(self, root: Path, tables: Tables = DEMO) -> None:
        self.config: Config = configured(root, tables)
        self.config_path = root / "config.toml"
        for folder in asdict(self.config.paths).values():
            folder.mkdir(parents=True, exist_ok=True)
        config_file.save(self.config, self.config_path)

    @property
    def _filed(self) -> tuple[Path, ...]:
        """The folders that mirror those of the inbox."""
        return self.config.paths.outbox, self.config.paths.done, self.config.paths.failed

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with closing(Ledger(self.config.paths.state / LEDGER)) as ledger:
            yield ledger

    def waiting(self, name: str, content: bytes = b"sound") -> Job:
        """Admitted, and not begun; `name` may begin with a folder in the inbox."""
        path = self.config.paths.inbox / name
        for folder in (self.config.paths.inbox, *self._filed):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        with self.ledger() as ledger:
            identity = Identity.of(path.lstat())
            (job,) = ledger.admit([Candidate(path, identity)], 1_000.0)
        return job

    def done(self, name: str, stem: str, text: str = "Hello there.") -> Job:
        """Delivered as `stem`, its recording in done/."""
        job = self.waiting(name)
        with self.ledger() as ledger:
            ledger.reserve(job.id, stem)
            for stage in _TO_DONE:
                ledger.move(job.id, stage, 1_060.0)
        job.source.rename(self.config.paths.done / name)
        (self.config.paths.outbox / f"{stem}.json").write_text(json.dumps(document(text)))
        return job

    def failed(self, name: str, kind: FailureKind = FailureKind.BAD_INPUT) -> Job:
        """In failed/, with its report."""
        job = self.waiting(name)
        failure = Failure(Stage.PREPARE, kind, "cannot be decoded")
        with self.ledger() as ledger:
            ledger.mark_failed(job.id, failure)
            failed = ledger.job(job.id)
            ledger.move(job.id, Stage.FAILED, 1_010.0)
        assert failed is not None
        target = self.config.paths.failed / name
        job.source.rename(target)
        report_of(target).write_text(json.dumps(documents.error(failed, [], target.name)))
        return job


def document(text: str) -> dict[str, object]:
    """As much of a NAME.json as `render` needs."""
    word = {"word": text.split(maxsplit=1)[0], "start": 0.0, "end": 0.5, "score": 0.9}
    word |= {"source": "aligned"}
    segment = {"id": 0, "start": 0.0, "end": 2.0, "text": text, "avg_logprob": -0.1}
    segment |= {"no_speech_prob": 0.01, "words": [word]}
    return {"text": text, "language": "en", "duration": 2.0, "segments": [segment]}
