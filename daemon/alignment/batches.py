"""How many segments are aligned together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.domain.transcript import Segment

BATCH_SECONDS = 30.0  # of audio; more gains little and costs memory


def batches(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Cut `segments` into runs of at most BATCH_SECONDS of audio, or of one longer segment."""
    batch: list[Segment] = []
    seconds = 0.0
    for segment in segments:
        length = segment.end - segment.start
        if batch and not seconds + length <= BATCH_SECONDS:
            yield batch
            batch, seconds = [], 0.0
        batch.append(segment)
        seconds += length
    if batch:
        yield batch
