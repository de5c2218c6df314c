"""ALIGN: segments and audio.npy → alignment.json, every word with its times.

One process a file, started when the file's transcription starts: its imports and its model's load
are over when the first segments arrive, and it aligns them while the rest is being decoded.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.alignment.batches import batches
from daemon.domain.ladder import Aligned, climb
from daemon.domain.transcript import Alignment, AlignmentStatus, Segment
from daemon.domain.validation import from_json
from daemon.handoff import alignment_log, artefacts
from daemon.handoff.alignment_log import AlignedLog, AlignmentHistory
from daemon.models import registry
from daemon.stages import blas, sandbox
from daemon.stages.serve import Channel, Handler, serve

if TYPE_CHECKING:
    from daemon.alignment.aligner import Aligner
    from daemon.alignment.threads import Threads
    from daemon.audio import Waveform

_KILLER = "it crashes the aligner"
_TRANSLATION = Alignment(
    AlignmentStatus.SKIPPED, "it is a translation: nobody said these words", "", {}
)


def _handler() -> Handler:
    from daemon.alignment.threads import Threads  # noqa: PLC0415

    blas.keep_on_one_core()
    from daemon.alignment.aligner import Aligner  # noqa: PLC0415 - stdout must be guarded first
    from daemon.alignment.checkpoint import AlignModelMissingError  # noqa: PLC0415
    from daemon.audio import Recording  # noqa: PLC0415
    from daemon.models.aligners import NoAlignModelError  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    threads = Threads(arguments.threads)

    def align(channel: Channel) -> None:
        request = channel.request
        stream = _SegmentStream(request.folder / artefacts.SEGMENTS, channel)
        language = stream.language()
        if artefacts.JobRequest.read(request.folder).translate:
            _wait_for_all(channel)
            artefacts.write_artefact(
                request.folder / artefacts.ALIGNMENT, request.nonce, _TRANSLATION
            )
            return
        try:
            aligner = Aligner.load(language, arguments.model or None, arguments.device, threads)
        except (NoAlignModelError, AlignModelMissingError) as error:
            tried, without, model = AlignmentHistory(), str(error), arguments.model
        else:
            audio = Recording(request.folder / artefacts.AUDIO)
            tried = _align(aligner, threads, audio, stream, channel)
            without, model = "", arguments.model or aligner.model
        _wait_for_all(channel)  # a result for half a transcript would be none
        segments = artefacts.read_recognition(request.folder).segments
        alignment = climb(segments, _aligned(tried), model, without)
        artefacts.write_artefact(request.folder / artefacts.ALIGNMENT, request.nonce, alignment)

    return align


def _wait_for_all(channel: Channel) -> None:
    while not channel.complete:
        channel.wait_for_more()


class _SegmentStream:
    """segments.jsonl, followed while the transcriber writes it."""

    def __init__(self, path: Path, channel: Channel) -> None:
        self._path = path
        self._channel = channel
        self._offset = 0

    def language(self) -> str:
        """What the transcriber detected: its first line."""
        while True:
            for line in self._read(1):
                return str(json.loads(line)["language"])
            self._channel.wait_for_more()

    def batches(self) -> Iterator[list[Segment]]:
        """What has arrived since the last look, until the transcript is whole."""
        while True:
            whole = self._channel.complete
            if segments := [from_json(Segment, line) for line in self._read()]:
                yield segments
            elif whole:
                return
            else:
                self._channel.wait_for_more()

    def _read(self, most: int | None = None) -> list[bytes]:
        """Whole new lines only: the last one may still be in the writing."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                lines = [line for line in islice(file, most) if line.endswith(b"\n")]
        except FileNotFoundError:
            return []
        self._offset += sum(map(len, lines))
        return lines


def _align(
    aligner: Aligner, threads: Threads, audio: Waveform, stream: _SegmentStream, channel: Channel
) -> AlignmentHistory:
    """Align what no earlier child has: in batches, and the suspects last, one by one."""
    from daemon.audio import SAMPLE_RATE  # noqa: PLC0415

    request = channel.request
    tried = alignment_log.read(request.folder)
    suspects: list[Segment] = []
    with (request.folder / alignment_log.NAME).open("a", encoding="utf-8") as file:
        log = AlignedLog(file, request.nonce)

        def work_on(batch: Sequence[Segment]) -> None:
            channel.listen()
            if channel.alone:
                threads.take_all()
            log.begin([segment.id for segment in batch])
            for aligned in aligner.align(audio, batch):
                log.finish(aligned.id, aligned.words, aligned.reason)
                tried.finished[aligned.id] = (aligned.words, aligned.reason)
            channel.progress(batch[-1].end, len(audio) / SAMPLE_RATE)

        for arrived in stream.batches():
            # A segment in another language is not for this model.
            fresh = [one for one in arrived if one.id not in tried.begun and not one.language]
            suspects.extend(one for one in arrived if one.id in tried.suspects)
            for batch in batches(fresh, aligner.batch_seconds):
                work_on(batch)
        for suspect in suspects:
            work_on([suspect])
    return tried


def _aligned(tried: AlignmentHistory) -> dict[int, Aligned]:
    finished = {id_: Aligned(words, reason) for id_, (words, reason) in tried.finished.items()}
    return finished | dict.fromkeys(tried.crashing, Aligned((), _KILLER))


def _confine() -> None:
    """It writes into the jobs' folders, which it is started in, and keeps converted models."""
    copies = registry.aligner_conversions(os.environ)
    with contextlib.suppress(OSError):  # then it keeps none
        copies.mkdir(parents=True, exist_ok=True)
    sandbox.confine_model(Path.cwd(), *([copies] if copies.is_dir() else []))


if __name__ == "__main__":
    serve(_handler, _confine)
