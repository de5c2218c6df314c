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

_NUMBERS = range(1, 100)  # how often one name is looked for in done/


def rendition(
    config: Config,
    formats: Iterable[str],
    document: Json,
    name: str,
    stages: Mapping[str, Json],
    source: Path,
    folder: Path,
) -> dict[str, bytes]:
    """The files of these formats, by suffix: the longest part of a delivery. Nothing is written.

    Arguments and errors are those of `material_of`.
    """
    return render(material_of(config, document, name, stages, source, folder), formats)


def material_of(
    config: Config,
    document: Json,
    name: str,
    stages: Mapping[str, Json],
    source: Path,
    folder: Path,
) -> Material:
    """What every format draws on.

    `document` is NAME.json, `name` the title that people see, `stages` those of NAME.timing.json,
    `source` the recording, `folder` where the files will lie. Raises ValueError, TypeError or
    KeyError if `document` is no transcript.
    """
    return Material(
        transcript=Transcript.from_document(document, name),
        subtitles=config.subtitles,
        timestamps=config.output.timestamps,
        stages=stages,
        recordings=recordings(config, source, folder, document.get("provenance", {}).get("bytes")),
        index=_index(config, folder),
    )


def recordings(config: Config, source: Path, folder: Path, size: object) -> tuple[str, ...]:
    """Where the recording of `size` bytes lies or will lie, seen from `folder`; likeliest first.

    While it is still in the inbox, that is the name in done/ that is free for it; afterwards,
    whatever of its name and size lies there: an older recording may bear the very name.
    """
    done = config.paths.done / _inside(config, folder)
    names = [_numbered(source, number) for number in _NUMBERS]
    if os.path.lexists(source):
        free = next((name for name in names if not os.path.lexists(done / name)), source.name)
        places = [done / free, source]
        if config.output.source == "keep":
            places.reverse()
    else:
        places = [done / name for name in names if _has_size(done / name, size)]
    return tuple(os.path.relpath(place, folder) for place in places or [done / source.name])


def _numbered(source: Path, number: int) -> str:
    """The name under which archiving files away the recording of a name that is taken."""
    return f"{source.stem} ({number}){source.suffix}" if number > 1 else source.name


def _has_size(path: Path, size: object) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _inside(config: Config, folder: Path) -> Path:
    """Where in the outbox `folder` is; done/ and the inbox have the same folders inside."""
    outbox = config.paths.outbox
    return folder.relative_to(outbox) if folder.is_relative_to(outbox) else Path()


def _index(config: Config, folder: Path) -> str:
    """The way to index.html, as an address; "" where there is none."""
    if not config.output.index or not folder.is_relative_to(config.paths.outbox):
        return ""
    return "../" * len(_inside(config, folder).parts) + "index.html"
