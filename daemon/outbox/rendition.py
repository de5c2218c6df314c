"""The files for people and players that a delivery is made of, rendered from its documents."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.config.settings import Config
from daemon.domain.transcript import Json
from daemon.rendering.formats import render
from daemon.rendering.material import Material
from daemon.rendering.transcript import Transcript


def rendition(
    config: Config,
    formats: Iterable[str],
    document: Json,
    name: str,
    stages: Mapping[str, Json],
    source: Path,
) -> dict[str, bytes]:
    """The files of these formats, by suffix. Pure, and the longest part of a delivery.

    `document` is NAME.json, `name` the title that people see, `stages` those of NAME.timing.json,
    `source` the recording. Raises ValueError, TypeError or KeyError if `document` is no transcript.
    """
    material = Material(
        transcript=Transcript.from_document(document, name),
        subtitles=config.subtitles,
        timestamps=config.output.timestamps,
        stages=stages,
        recordings=recordings(config, source),
        index=config.output.index,
    )
    return render(material, formats)


def recordings(config: Config, source: Path) -> tuple[str, ...]:
    """Where the recording will lie, seen from the outbox; the likeliest place first."""
    outbox = config.paths.outbox
    places = (config.paths.done / source.name, source)
    if config.output.source == "keep":
        places = places[::-1]
    return tuple(os.path.relpath(place, outbox) for place in places)
