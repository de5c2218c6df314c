"""A configuration that changes while the daemon runs is taken up, and what changed is said.

Each setting is read when it is used, so that most changes only need the new values in place. The
folders, and how the inbox is watched, stay as they were until the daemon is started again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.domain.job import Stage
from daemon.errors import UsageError
from daemon.processes.pool import Command
from daemon.supervisor.context import Context

_STILL_SECONDS = 1.0
_FIXED_TABLES = frozenset({"paths", "watch"})
_SECRET = frozenset({"notify.webhook", "notify.webhook_secret"})  # an address may hold a password
_FIXED_KEYS = frozenset({"limits.retry_seconds", "limits.grace_seconds", "limits.keep_awake"})


class SettingsWatch(Protocol):
    """Looked at in every turn of the loop."""

    def take_up(self, now: float) -> None: ...

    def due(self) -> float:
        """When to call `take_up` at the latest, monotonic."""
        ...


class NoSettingsWatch:
    """For work whose settings were given on a command line."""

    def take_up(self, now: float) -> None:
        """They cannot change."""

    def due(self) -> float:
        return math.inf


class ConfigFileWatch:
    """`commands` tells how the stages are started under new settings; `on_change` is told them."""

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Config],
        context: Context,
        commands: Callable[[Config], Mapping[Stage, Command]],
        on_change: Callable[[Config], None] = lambda config: None,
    ) -> None:
        self._path = path
        self._load = load
        self._context = context
        self._commands = commands
        self._on_change = on_change
        self._used = self._seen = _signature(path)
        self._due = math.inf  # while nothing waits

    def take_up(self, now: float) -> None:
        """Use the file if it is another than before; a wrong one changes nothing.

        While an editor writes it, it is empty, cut off, or not there: what is missing would be as
        by default. So one without a last line's end has to stand still for a while.
        """
        if (signature := _signature(self._path)) != self._seen:
            self._seen = signature
            self._due = now + (0.0 if _is_whole(self._path) else _STILL_SECONDS)
        if now < self._due:
            return
        self._due = math.inf
        if signature != self._used:
            self._used = signature
            self._use_file()

    def due(self) -> float:
        return self._due

    def _use_file(self) -> None:
        context = self._context
        try:
            wanted = self._load(self._path)
            config = _with_fixed(wanted, context.config)
            commands = self._commands(config)
        except UsageError as error:
            text = " ".join(str(error).split())
            context.event_log.warning(
                "unconfigured", f"the changed configuration is left alone: {text}", reason=text
            )
            return
        later = [key for key in differences(context.config, wanted) if _is_fixed(key)]
        changed = differences(context.config, config)
        context.use(config, commands)
        self._on_change(config)
        if changed:
            said = "; ".join(f"{key} is now {value}" for key, value in changed.items())
            context.event_log.info("configured", f"configuration: {said}", changed=list(changed))
        if later:
            said = f"{', '.join(later)}: changed when the daemon starts again (dropscribe restart)"
            context.event_log.warning("configured", said, changed=[])
        context.pause.retry_now()


def differences(old: Config, new: Config) -> dict[str, str]:
    """The keys (TABLE.KEY) whose values differ, with the new value, for a log."""
    before = dict(_flat(old))
    changed = {key: value for key, value in _flat(new) if before.get(key) != value}
    return {key: "another" if key in _SECRET else repr(value) for key, value in changed.items()}


def _flat(config: Config) -> Iterator[tuple[str, Any]]:
    for table, values in as_json(config).items():
        for key, value in values.items():
            yield f"{table}.{key}", value


def _is_fixed(key: str) -> bool:
    return key.partition(".")[0] in _FIXED_TABLES or key in _FIXED_KEYS


def _with_fixed(wanted: Config, now: Config) -> Config:
    """`wanted`, but with the values of `now` where a change needs a new start."""
    names = [key.partition(".")[2] for key in _FIXED_KEYS]
    limits = replace(wanted.limits, **{name: getattr(now.limits, name) for name in names})
    tables = {table: getattr(now, table) for table in _FIXED_TABLES}
    return replace(wanted, **tables, limits=limits)


def _is_whole(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes().endswith(b"\n")
    return False


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What a change of the file changes; None while it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
