"""How many segments are aligned together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.domain.transcript import Segment

BATCH_SECONDS = 30.0  # of audio; more gains little and costs memory
_CUDA_SECONDS = 120.0  # such a GPU waits for Python with less


def batch_seconds(device: str) -> float:
    """Seconds of audio that are worth aligning together."""
    return _CUDA_SECONDS if device == "cuda" else BATCH_SECONDS


def batches(segments: Sequence[Segment], most: float) -> Iterator[list[Segment]]:
    """Cut `segments` into runs of at most `most` seconds of audio, or of one longer segment."""
    batch: list[Segment] = []
    seconds = 0.0
    for segment in segments:
        length = segment.end - segment.start
        if batch and not seconds + length <= most:
            yield batch
            batch, seconds = [], 0.0
        batch.append(segment)
        seconds += length
    if batch:
        yield batch
