"""Speakers from voices: listen, cluster, and lay the speakers out in time."""

from __future__ import annotations

from collections.abc import Callable

from daemon.audio import SAMPLE_RATE
from daemon.diarization import turns, windows
from daemon.diarization.clustering import Count, Tuning, cluster
from daemon.diarization.networks import Networks
from daemon.diarization.windows import Heard, Read
from daemon.domain.speakers import Turn, Voice

_FIRST = 0.95  # share of the progress that is reported for the first pass


def listen(
    read: Read,
    length: int,
    networks: Networks,
    count: Count,
    progress: Callable[[float, float], None],
) -> Heard:
    """What the networks hear in a recording of `length` samples, more of it at changes of speaker.

    `read` gives the samples (16 kHz mono) between two indices; `progress` gets (seconds done,
    seconds in total). Memory grows by about 1 kB a second of speech, whatever the length.
    """
    heard = windows.listen(
        read, length, networks, lambda done, total: progress(_FIRST * done, total)
    )
    _, centres = cluster(turns.pieces(heard), count, Tuning())
    if len(centres) > 1:
        windows.refine(
            read,
            heard,
            centres,
            networks,
            lambda done, total: progress(_FIRST * total + (1 - _FIRST) * done, total),
        )
    return heard


def arrange(heard: Heard, count: Count) -> tuple[list[Turn], list[Voice]]:
    """Who speaks when, and how each speaker sounds."""
    _, centres = cluster(turns.pieces(heard), count, Tuning())
    found = turns.turns(heard, centres, heard.length / SAMPLE_RATE)
    return found, [Voice(tuple(map(float, centre))) for centre in centres]
