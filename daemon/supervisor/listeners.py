"""Who hears of what happens: the log, hooks and notifications, and the index in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from daemon.catalogue.updater import CatalogueUpdater, update_command
from daemon.config.settings import Config
from daemon.reporting.event_log import EventLog
from daemon.reporting.notifier import Notifier, channels

# Seconds for what each still has to do when the daemon is told to stop, and when it ends by itself.
_LAST_WORDS = 2.0
_HURRIED = 1.0
_UNHURRIED = 60.0


class Listeners:
    """The event log of a daemon, and who listens to it. Nobody holds up whoever writes to it."""

    def __init__(self, config: Config) -> None:
        self._notifier = Notifier(
            channels(config.notify, config.paths.state),
            config.paths.outbox,
            _complain("notification_failed"),
        )
        self._index = CatalogueUpdater(_index_command(config), _complain("index_failed"))
        self.event_log = EventLog(self._on_event)
        self.hurried = True  # whether somebody waits for the daemon's end

    @classmethod
    @contextmanager
    def of(cls, config: Config) -> Iterator[Listeners]:
        """Until the block ends; then each says what is left to say, for a few seconds."""
        listeners = cls(config)
        try:
            yield listeners
        finally:
            listeners._notifier.close(_LAST_WORDS)
            listeners._index.close(_HURRIED if listeners.hurried else _UNHURRIED)

    def use(self, config: Config) -> None:
        """Take up a configuration that was changed while the daemon runs."""
        self._notifier.use(channels(config.notify, config.paths.state))
        self._index.use(_index_command(config))

    def _on_event(self, event: str, message: str, name: str, facts: Mapping[str, object]) -> None:
        self._notifier.on_event(event, message, name, facts)
        self._index.on_event()


def _index_command(config: Config) -> Sequence[str]:
    if not config.output.index:
        return ()
    paths, output = config.paths, config.output
    return update_command(paths.state, paths.outbox, output.mode, output.group)


def _complain(event: str) -> Callable[[str], None]:
    return lambda line: EventLog().warning(event, line)
