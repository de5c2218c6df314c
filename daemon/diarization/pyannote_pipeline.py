"""Who speaks when by a pipeline of pyannote.audio that the user has put into a folder.

Such as community-1: better where many talk at once, several times slower, and behind a licence that
everybody has to accept for himself. Its folder is code, as any model of theirs: who made it is
trusted. A stage's environment keeps it offline and turns pyannote's telemetry off.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.clustering import Count
from daemon.domain.speakers import Turn, Voice
from daemon.models.registry import ModelMissingError

_CONFIG = "config.yaml"
# Shares of the progress: it tells how far it is within each of these steps.
_STEPS = {"segmentation": (0.0, 0.3), "embeddings": (0.3, 0.7)}


def load(folder: Path) -> Any:  # noqa: ANN401 - a class of a library without types
    """The pipeline in this folder. Raises ModelMissingError, with the reason."""
    if not (folder / _CONFIG).is_file():
        raise ModelMissingError(f"speakers.model: there is no {_CONFIG} of pyannote in {folder}")
    from pyannote.audio import Pipeline  # noqa: PLC0415

    try:
        pipeline = Pipeline.from_pretrained(folder)
    except Exception as error:  # of any kind: what lies there may be anything
        detail = (str(error).splitlines() or [""])[0]
        message = f"speakers.model: the pipeline in {folder} cannot be loaded ({detail})"
        raise ModelMissingError(message) from error
    return pipeline


def diarize(
    pipeline: Any,  # noqa: ANN401
    audio: FloatArray,
    count: Count,
    progress: Callable[[float, float], None],
) -> tuple[list[Turn], list[Voice]]:
    """Who speaks when, in samples of 16 kHz mono, which are all in memory.

    The voices are not described: other networks' numbers cannot be compared with remembered ones.
    `progress` gets (seconds done, seconds in total).
    """
    import torch  # noqa: PLC0415 - heavy, and a folder without a pipeline needs none

    seconds = len(audio) / SAMPLE_RATE

    def hook(step: str, *_: object, completed: int = 0, total: int = 0, **__: object) -> None:
        if step in _STEPS and total:
            first, share = _STEPS[step]
            progress(seconds * (first + share * completed / total), seconds)

    waveform = {"waveform": torch.from_numpy(audio[None]), "sample_rate": SAMPLE_RATE}
    bounds = {"min_speakers": count.least, "max_speakers": count.most}
    answer = pipeline(waveform, hook=hook, **bounds)
    found = getattr(answer, "speaker_diarization", answer)  # older pipelines answer with it alone
    spoken = sorted((part.start, part.end, who) for part, _, who in found.itertracks(True))
    names = list(dict.fromkeys(who for _, _, who in spoken))
    turns = [
        Turn(max(0.0, start), min(end, seconds), names.index(who)) for start, end, who in spoken
    ]
    return turns, [Voice() for _ in names]
