"""`dropscribe lend`: the other end of somebody's cluster, started by their ssh."""

from __future__ import annotations

from pathlib import Path

from daemon.cluster.lender import Lender, standard_streams
from daemon.commands.command_line import command
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.models import hardware
from daemon.supervisor.application import Commands, stage_commands


@command(examples=[("dropscribe lend", "for authorized_keys; see dropscribe cluster add")])
def lend(config_path: Path) -> int:
    """Work for another machine's daemon, over this connection, until it ends."""
    incoming, outgoing = standard_streams()
    config = config_file.load(config_path)

    def commands(config: Config) -> Commands:
        return stage_commands(config, hardware.choose(config.transcribe.backend))

    backend = hardware.choose(config.transcribe.backend)
    return Lender(config, backend, commands).serve(incoming, outgoing)
