"""Speakers from voices: listen, cluster, and lay the speakers out in time."""

from __future__ import annotations

from collections.abc import Callable

from daemon.audio import SAMPLE_RATE
from daemon.diarization import turns
from daemon.diarization.clustering import Count, Tuning, cluster
from daemon.diarization.networks import Networks
from daemon.diarization.windows import Heard, Read, listen
from daemon.domain.speakers import Turn, Voice


def diarize(
    read: Read,
    length: int,
    networks: Networks,
    count: Count,
    progress: Callable[[float, float], None],
) -> tuple[list[Turn], list[Voice]]:
    """Who speaks when in a recording of `length` samples, and how each speaker sounds.

    `read` gives the samples (16 kHz mono) between two indices; `progress` gets (seconds done,
    seconds in total). Memory grows by about 2 kB a second of speech, whatever the length.
    """
    heard = listen(read, length, networks, progress)
    return arrange(heard, count)


def arrange(heard: Heard, count: Count) -> tuple[list[Turn], list[Voice]]:
    """The turns and the voices in what was heard."""
    _, centres = cluster(turns.pieces(heard), count, Tuning())
    found = turns.turns(heard, centres, heard.length / SAMPLE_RATE)
    return found, [Voice(tuple(map(float, centre))) for centre in centres]
