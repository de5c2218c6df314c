"""What must not lie in a folder that macOS guards, when a service is to use it without a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import asdict

import daemon
from daemon.config.settings import Config
from daemon.errors import DropscribeError
from daemon.files.guarded import guarded_place
from daemon.service.manager import Host

_MOVE = {
    "environment": "install dropscribe into a folder elsewhere in your home, for example with"
    " uv tool install, then: dropscribe install",
    "program": "move the checkout out of it, make its environment anew, then: dropscribe install",
}


def guarded(config: Config, host: Host) -> Iterator[tuple[str, Path, str, str]]:
    """What lies in a guarded place: what it is, where, which place, and the remedy."""
    ours = {"environment": Path(sys.prefix)}
    program = Path(daemon.__file__).parents[1]
    if not program.is_relative_to(sys.prefix):  # a checkout that is used where it lies
        ours["program"] = program
    for what, path in (ours | asdict(config.paths)).items():
        place = guarded_place(path, host.home, host.platform)
        if place is not None:
            away = host.home / "Dropscribe" / what
            remedy = _MOVE.get(what) or f"dropscribe config set paths.{what} '{away}'"
            yield what, path, place, remedy


def refuse_guarded(config: Config, host: Host) -> None:
    """Raises DropscribeError with a line for each: the service would be denied, or wait unseen."""
    lines = [
        f"{what}: {path} lies in {place}: {remedy}"
        for what, path, place, remedy in guarded(config, host)
    ]
    if lines:
        raise DropscribeError(
            "Nothing was changed. macOS guards the following from programs that it starts in the"
            " background: they are denied, or wait for an answer that nobody sees.\n  "
            + "\n  ".join(lines)
            + "\nIf you have given the program Full Disk Access: dropscribe install --guarded"
        )
