"""A job's output set, rendered from its artefacts into its folder: what the PUBLISH process does.

A format that cannot be rendered does not keep the others from being delivered: it is left out, and
that is said. One that kills the process is tried twice.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from msgspec import structs

from daemon.config.settings import Config
from daemon.domain.job import StageRecord
from daemon.domain.names import inside_inbox, named, stem_of
from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.domain.suffixes import track_prefix
from daemon.domain.transcript import Alignment, AlignmentStatus, Json, Segment, coverage
from daemon.files.atomic import json_bytes, sync_folder, write_temporary
from daemon.files.real_path import real_path
from daemon.files.state_folder import TIMING_SUFFIX
from daemon.handoff import artefacts
from daemon.handoff.outputs import Facts, OutputSet, PublishOrder
from daemon.outbox import documents
from daemon.outbox.documents import Delivery, Results
from daemon.outbox.rendition import material_of
from daemon.outbox.replacements import corrected
from daemon.rendering.formats import FORMATS
from daemon.rendering.material import Material

_TIMES = 2  # processes must have died over a format before it is left out
_ENDED = "-"  # in the log, after the name of a format that did not kill the process


class OutputSetRenderer:
    """Renders one order in its job's folder. `progress` is told (seconds of audio done, of all).

    `peak_rss` tells this process's largest size, in bytes.
    """

    def __init__(
        self,
        order: PublishOrder,
        folder: Path,
        progress: Callable[[float, float], None],
        peak_rss: Callable[[], int],
    ) -> None:
        self._order = order
        self._folder = folder
        self._progress = progress
        self._peak_rss = peak_rss
        self._sizes: dict[str, int] = {}
        self._missing: list[str] = []

    def render(self) -> OutputSet:
        """Write the files. Raises OSError, and InvalidArtefactError for what it was to render."""
        cpu_before = time.process_time()
        first, *others = _deliveries(self._order, self._folder)
        building = self._folder / artefacts.PARTIAL_OUTPUTS
        for left in (building, self._folder / artefacts.OUTPUTS):
            shutil.rmtree(left, ignore_errors=True)
        building.mkdir(mode=0o700)
        for number, delivery in enumerate([first, *others], 1):
            prefix = track_prefix(number)
            self._render_delivery(delivery, building, prefix, cpu_before)
        sync_folder(building)
        building.rename(self._folder / artefacts.OUTPUTS)
        name = named(self._order.config.output.name, first.name_fields)
        return OutputSet(name, self._sizes, _facts(first), tuple(self._missing))

    def _render_delivery(
        self, delivery: Delivery, building: Path, prefix: str, cpu_before: float
    ) -> None:
        """One transcript; the files of a further track have a `prefix` of their own."""
        order, compact = self._order, self._order.config.output.compact
        document = documents.transcript(delivery, compact)
        stages = documents.stages(order.job, order.records, time.time())
        self._render_formats(document, stages, building, prefix)
        document["provenance"]["warnings"] += self._missing
        self._write(building, f"{prefix}json", json_bytes(document))
        records = self._with_cost(time.process_time() - cpu_before)
        timing = documents.timing(delivery, records, time.time(), compact)
        self._write(building, prefix + TIMING_SUFFIX, json_bytes(timing))

    def _render_formats(self, document: Json, stages: Json, building: Path, prefix: str) -> None:
        config, job = self._order.config, self._order.job
        folder = config.paths.outbox / inside_inbox(
            job.source.parent, real_path(config.paths.inbox)
        )

        @cache
        def material() -> Material:
            return material_of(config, document, stem_of(job.source), stages, job.source, folder)

        log = self._folder / artefacts.FORMATS_LOG
        failures = self._order.records[-1].failures  # else it was we who ended those processes
        killers = _killers(log) if failures >= _TIMES else set()
        seconds, formats = document["duration"], config.output.formats
        for done, name in enumerate(formats):
            self._progress(seconds * done / len(formats), seconds)
            if name in killers:
                self._leave_out(name, "making it crashed")
                continue
            _append(log, name)
            try:
                data = FORMATS[name].render(material())
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                self._leave_out(name, f"{type(error).__name__}: {error}"[:500])
            else:
                self._write(building, prefix + FORMATS[name].suffix, data)
            _append(log, _ENDED)

    def _leave_out(self, name: str, reason: str) -> None:
        self._missing.append(f"the {FORMATS[name].suffix} file could not be made: {reason}")

    def _write(self, building: Path, suffix: str, data: bytes) -> None:
        Path(write_temporary(building, data)).rename(building / suffix)
        self._sizes[suffix] = len(data)

    def _with_cost(self, cpu_seconds: float) -> Sequence[StageRecord]:
        """The stages' records; PUBLISH's own, the last, as it is now."""
        *others, own = self._order.records
        own = structs.replace(
            own,
            ended_at=time.time(),
            exit="ok",
            cpu_seconds=cpu_seconds,
            peak_rss_bytes=self._peak_rss(),
        )
        return [*others, own]


def _killers(log: Path) -> set[str]:
    """The formats that were begun `_TIMES` times, each time as the last thing of a process."""
    entries = log.read_text().split() if log.exists() else []
    unended = [name for name, after in pairwise([*entries, ""]) if _ENDED not in (name, after)]
    return {name for name, times in Counter(unended).items() if times >= _TIMES}


def _append(log: Path, entry: str) -> None:
    with log.open("a") as file:
        file.write(f"{entry}\n")


def _deliveries(order: PublishOrder, folder: Path) -> list[Delivery]:
    """The job's transcripts: one, or one for each track."""
    recognition = artefacts.read_recognition(folder)
    alignment = _alignment(folder, recognition.segments)
    options = artefacts.read_options(folder)
    options["align"] = alignment.status is not AlignmentStatus.SKIPPED
    results = Results(
        artefacts.read_prepared(folder),
        recognition,
        alignment,
        options,
        _diarization(folder, recognition.segments, order.config),
    )
    names, wanted = order.config.speakers.names, order.config.vocabulary.replace
    deliveries = [Delivery.of(order.job, part, names) for part in results.by_transcript()]
    return [
        replace(delivery, segments=corrected(delivery.segments, wanted)) for delivery in deliveries
    ]


def _diarization(folder: Path, segments: Sequence[Segment], config: Config) -> Diarization | None:
    """Who speaks when; None if nobody asked, or nothing is said."""
    if config.speakers.mode == "off" or not segments:
        return None
    try:
        return artefacts.read_diarization(folder)
    except artefacts.InvalidArtefactError as error:
        return Diarization(DiarizationStatus.FAILED, str(error))


def _alignment(folder: Path, segments: Iterable[Segment]) -> Alignment:
    with contextlib.suppress(artefacts.InvalidArtefactError):
        return artefacts.read_alignment(folder)
    reason = "no speech was found" if not list(segments) else "alignment is switched off"
    return Alignment(AlignmentStatus.SKIPPED, reason, "", {})


def _facts(delivery: Delivery) -> Facts:
    recognition = delivery.recognition
    return Facts(
        backend=recognition.backend,
        device=recognition.device,
        model=recognition.model,
        language=recognition.language,
        audio_seconds=delivery.prepared.duration,
        segments=len(delivery.segments),
        words=len(delivery.words),
        coverage=coverage(delivery.segments),
        alignment=delivery.alignment.status,
    )
