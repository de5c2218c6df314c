"""The rules of the trade that subtitles are held to, by language.

Sources:
- Netflix Timed Text Style Guide, General Requirements: a subtitle stays between 5/6 of a second
  and 7 seconds; two lines at most; a line is broken after punctuation, before conjunctions and
  prepositions, never between an article and its noun.
  https://partnerhelp.netflixstudios.com/hc/en-us/articles/215758617
- Netflix, Subtitle Timing Guidelines: the in-time is the first frame of speech; at least two
  frames between subtitles; a gap of less than half a second is closed to two frames.
  https://partnerhelp.netflixstudios.com/hc/en-us/articles/360051554394
- Netflix's guides for each language: characters a line and a second (the tables below).
- BBC Subtitle Guidelines: a subtitle holds a single sentence where possible (3.2); lines break at
  natural points (3.4); a subtitle hangs on for at most 1.5 seconds after speech (5.2).
  https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles/
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from daemon.config.settings import Subtitles

_COLUMNS = 42
# Full-width characters count two: 16 Chinese or Korean, 13 Japanese characters a line.
_COLUMNS_BY_LANGUAGE = {"zh": 32, "yue": 32, "ko": 32, "ja": 26}
_SPEED = 17.0
# Characters a second for adults; full-width ones count two here as well.
_SPEED_BY_LANGUAGE = {
    "en": 20.0,
    "ar": 20.0,
    "hi": 22.0,
    "ko": 24.0,
    "zh": 18.0,
    "yue": 18.0,
    "ja": 14.0,  # 7 a second; Netflix's 4 is for condensed translations, not for what was said
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cue must keep to. Times in seconds, `columns` and `speed` in half-width columns."""

    columns: int
    lines: int
    speed: float  # columns a second
    shortest: float
    longest: float
    gap: float  # between two cues, unless they touch
    chain: float  # a smaller gap than this is closed to `gap`
    pause: float  # a silence this long always ends a cue
    linger: float  # how long a cue may stay after its last word, so that it can be read


def limits(settings: Subtitles, language: str) -> Limits:
    """The limits for a recording in `language`, as far as the configuration says nothing else."""
    return Limits(
        columns=settings.line_characters or _COLUMNS_BY_LANGUAGE.get(language, _COLUMNS),
        lines=settings.lines,
        speed=settings.characters_per_second or _SPEED_BY_LANGUAGE.get(language, _SPEED),
        shortest=settings.min_seconds,
        longest=settings.max_seconds,
        # Rounded up: rounded to the nearest millisecond it would be a little less than two frames.
        gap=math.ceil(settings.gap_frames / settings.frame_rate * 1000) / 1000,
        chain=settings.chain_seconds,
        pause=settings.pause_seconds,
        linger=settings.linger_seconds,
    )
