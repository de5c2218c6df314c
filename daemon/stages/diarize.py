"""DIARIZE: audio.npy → speakers.json, who speaks when.

One process a file, beside its transcription. It gives way to it (nice), computes on one processor
thread, and reads the audio window by window, so that its memory does not depend on the length.
What the networks heard is kept in voices.npz: counting the speakers anew takes no listening. With
`--model` a pipeline of pyannote.audio in that folder answers instead, on several threads.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest
from daemon.models import checksums, registry
from daemon.models.checksums import TamperedModelError
from daemon.models.registry import ModelMissingError
from daemon.stages import blas, sandbox
from daemon.stages.serve import Channel, Handler, serve

if TYPE_CHECKING:
    from daemon.diarization.clustering import Count
    from daemon.diarization.networks import Networks
    from daemon.domain.speakers import Turn, Voice

# PREPARE tells speakers by channels, which are mixed otherwise.
_TOO_LATE = "its channels were not kept: speakers.mode was not channels when it was decoded"
_NICE = 10  # below the transcriber and the aligner


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", type=Path, help="a pipeline of pyannote.audio")
    return parser.parse_args()


def _handler() -> Handler:
    os.nice(_NICE)
    model: Path | None = _arguments().model
    if model is None:
        blas.keep_on_one_core()
    from daemon.diarization.clustering import Count  # noqa: PLC0415 - heavy; stdout must be guarded

    def diarize(channel: Channel) -> None:
        folder, nonce = channel.request.folder, channel.request.nonce
        job = JobRequest.read(folder)
        if job.speakers == "channels":
            found = Diarization(DiarizationStatus.FAILED, _TOO_LATE, "channels")
            artefacts.write_artefact(folder / artefacts.SPEAKERS, nonce, found)
            return
        count = Count(job.min_speakers, job.max_speakers)
        try:
            turns, voices = _by_pyannote(model, channel, count) if model else _ours(channel, count)
            found = Diarization(
                DiarizationStatus.COMPLETE, voices=tuple(voices), turns=tuple(turns)
            )
        except (ModelMissingError, TamperedModelError) as error:
            found = Diarization(DiarizationStatus.FAILED, str(error))
        artefacts.write_artefact(folder / artefacts.SPEAKERS, nonce, found)

    return diarize


def _ours(channel: Channel, count: Count) -> tuple[list[Turn], list[Voice]]:
    """By the bundled networks. Raises ModelMissingError or TamperedModelError."""
    from daemon.audio import Recording  # noqa: PLC0415
    from daemon.diarization import heard_file  # noqa: PLC0415
    from daemon.diarization.diarizer import arrange, listen  # noqa: PLC0415

    folder, networks = channel.request.folder, _networks()
    recording = Recording(folder / artefacts.AUDIO)
    heard = listen(recording.read, len(recording), networks, count, channel.progress)
    heard_file.save(folder / artefacts.VOICES, heard)
    return arrange(heard, count)


def _by_pyannote(model: Path, channel: Channel, count: Count) -> tuple[list[Turn], list[Voice]]:
    """By the user's pipeline. Raises ModelMissingError."""
    from daemon.audio import Recording  # noqa: PLC0415
    from daemon.diarization import pyannote_pipeline  # noqa: PLC0415

    pipeline = pyannote_pipeline.load(model)
    recording = Recording(channel.request.folder / artefacts.AUDIO)
    audio = recording.read(0, len(recording))
    return pyannote_pipeline.diarize(pipeline, audio, count, channel.progress)


def _networks() -> Networks:
    """Both networks. Raises ModelMissingError or TamperedModelError."""
    from daemon.diarization.networks import Networks  # noqa: PLC0415

    folder: Path = registry.BUNDLED / "speakers"
    if missing := [name for name in Networks.FILES if not (folder / name).is_file()]:
        raise ModelMissingError(
            f"the speaker model {missing[0]} is missing: install dropscribe again"
        )
    checksums.verify(folder)
    return Networks(folder)


if __name__ == "__main__":
    serve(_handler, lambda: sandbox.confine_model(Path.cwd()))
