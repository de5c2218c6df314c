"""Which jobs a person wants given up: requests from the command line, for the daemon to carry out.

Only the daemon writes the ledger. A request is an empty file, named after its job, and outlives
whatever happens until the daemon has acted on it.
"""

from __future__ import annotations

from pathlib import Path

from daemon.files.state_folder import CANCELLATIONS


class Cancellations:
    """The requests in the folder `state`."""

    def __init__(self, state: Path) -> None:
        self._folder = state / CANCELLATIONS

    def ask(self, job: int) -> None:
        """Raises OSError if the request cannot be left."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / str(job)).touch(mode=0o600)

    def asked(self) -> list[int]:
        """The jobs that are to be given up."""
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())

    def settle(self, job: int) -> None:
        """The request has been carried out, or came too late."""
        (self._folder / str(job)).unlink(missing_ok=True)
