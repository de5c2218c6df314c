"""Settings for some recordings only: dropscribe.toml in a folder, or NAME.toml beside a recording.

    inbox/dropscribe.toml            for everything in the inbox
    inbox/German/dropscribe.toml     for what lies in that folder, over the one above
    inbox/German/talk.toml           for talk.m4a alone, over both

A profile has the tables of config.toml, but only what may differ from file to file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.config import file as config_file
from daemon.config.settings import Config, Speakers
from daemon.config.table import as_json
from daemon.errors import UsageError
from daemon.files.real_path import real_path

FOLDER_PROFILE = "dropscribe.toml"
_MAX_BYTES = 65_536
_REMEMBERED = 1_000  # sets of profiles
_ALLOWED: Mapping[str, frozenset[str] | None] = {  # None: every key of the table
    "transcribe": frozenset(
        {"language", "languages", "task", "model", "initial_prompt", "beam_size"}
    ),
    "align": frozenset({"enabled"}),
    "output": frozenset({"formats", "timestamps", "compact", "name"}),
    "subtitles": None,
    # Not the model: a folder of code, that nobody is to choose who may only drop files.
    "speakers": frozenset(Speakers.__struct_fields__) - {"model"},
    "vocabulary": None,
    "queue": frozenset({"priority"}),
}


class ProfileError(UsageError):
    """A profile is wrong: the recordings that it is for cannot be worked on as it says."""


def _places(source: Path, inbox: Path) -> list[str]:
    """Where the profiles of a recording may lie, the most general first."""
    folders = [str(inbox)]
    with contextlib.suppress(ValueError):  # it is not in the inbox
        for part in source.parent.relative_to(inbox).parts:
            folders.append(f"{folders[-1]}/{part}")
    wanted = [f"{folder}/{FOLDER_PROFILE}" for folder in folders]
    wanted += [str(source.with_suffix(".toml")), f"{source}.toml"]
    return list(dict.fromkeys(wanted))


class Profiles:
    """What holds for each recording, under one configuration. Files are read when they change."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: dict[tuple[object, ...], Config] = {}
        self._inbox: Path | None = None
        self._places: dict[Path, list[str]] = {}

    def config_for(self, source: Path) -> Config:
        """The settings that hold for this recording. Raises ProfileError."""
        found = [Path(place) for place in self._places_of(source) if os.path.lexists(place)]
        if not found:
            return self._config
        key = tuple(_signature(path) for path in found)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = _merged(self._config, found)
        return self._known[key]

    def _places_of(self, source: Path) -> list[str]:
        """Where profiles of a recording may lie: it is asked many times a turn of the loop."""
        if source not in self._places:
            if self._inbox is None or not source.is_relative_to(self._inbox):
                self._inbox = real_path(self._config.paths.inbox)
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[source] = _places(source, self._inbox)
        return self._places[source]


SHARED: Mapping[str, tuple[str, ...]] = {
    "transcribe": ("model",),
    "align": ("model", "fallback"),
    "audio": ("tracks",),
}


def shared_settings(config: Config) -> dict[str, dict[str, Any]]:
    """What another machine has to know besides profiles, by SHARED."""
    data = as_json(config)
    return {table: {key: data[table][key] for key in keys} for table, keys in SHARED.items()}


def for_another_machine(config: Config) -> dict[str, dict[str, Any]]:
    """The profile by which another machine works on a recording as this one would."""
    data = as_json(config)
    tables = ("transcribe", "align", "speakers", "vocabulary")
    return {
        table: {key: value for key, value in data[table].items() if _is_allowed(table, key)}
        for table in tables
    }


def _is_allowed(table: str, key: str) -> bool:
    allowed = _ALLOWED[table]
    return allowed is None or key in allowed


def _signature(path: Path) -> tuple[object, ...]:
    try:
        status = path.lstat()
    except OSError:
        return (path,)
    return path, status.st_mtime_ns, status.st_size, status.st_ino


def _merged(config: Config, found: list[Path]) -> Config:
    data = as_json(config)
    for path in found:
        try:
            tables = _read(path)
        except OSError as error:
            raise ProfileError(f"{path.name} cannot be read: {error.strerror}") from error
        for table, values in tables.items():
            data[table] |= values
    try:
        return config_file.validated(data, " and ".join(path.name for path in found))
    except UsageError as error:
        raise ProfileError(" ".join(str(error).split())) from error


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The tables of one profile, with nothing in them that a profile may not say."""
    try:
        data = tomllib.loads(_content(path).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path.name} is not valid TOML: {error}") from error
    for table, values in data.items():
        if table not in _ALLOWED:
            known = ", ".join(_ALLOWED)
            raise ProfileError(f"{path.name}: {table} is no table of a profile; there are {known}")
        if not isinstance(values, dict):
            raise ProfileError(f"{path.name}: {table} must be a table")
        allowed = _ALLOWED[table]
        if allowed is not None and (wrong := sorted(values.keys() - allowed)):
            known = ", ".join(sorted(allowed))
            raise ProfileError(f"{path.name}: {table}.{wrong[0]} is not for a profile; {known} are")
    return data


def _content(path: Path) -> bytes:
    """Read with caution: whoever may drop a recording may drop this, too."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:  # noqa: PTH123 - of a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ProfileError(f"{path.name} is no regular file")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ProfileError(f"{path.name} is larger than {_MAX_BYTES} bytes")
    return content
