"""`dropscribe lend`: the other end of a cluster, started by its owner's ssh; or a Dask worker."""

from __future__ import annotations

import os
from pathlib import Path

import click
from msgspec.structs import replace

from daemon.cluster.lender import Lender, standard_streams
from daemon.commands.command_line import command
from daemon.config import file as config_file
from daemon.config.settings import Cluster, Config
from daemon.config.table import read
from daemon.errors import OK, DropscribeError, UsageError
from daemon.files.state_folder import LENT
from daemon.models import hardware
from daemon.supervisor.application import Commands, stage_commands

_PEM = click.Path(path_type=Path, exists=True, dir_okay=False)


@command(
    examples=[
        ("dropscribe lend", "for authorized_keys; see dropscribe cluster add"),
        ("dropscribe lend --scheduler tcp://127.0.0.1:8786", "a standing worker of a Dask cluster"),
    ]
)
@click.option("--state", type=click.Path(path_type=Path), hidden=True, help="A folder of its own.")
@click.option("--scheduler", metavar="ADDRESS", help="Work for a Dask cluster, until stopped.")
@click.option("--tls-ca", type=_PEM, help="For tls://: who signs the cluster's certificates,")
@click.option("--tls-cert", type=_PEM, help="ours,")
@click.option("--tls-key", type=_PEM, help="and the key to it.")
def lend(
    config_path: Path,
    state: Path | None,
    scheduler: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> int:
    """Work for another machine's daemon, over this connection, until it ends."""
    if scheduler is not None:
        given = {"tls_ca": tls_ca, "tls_cert": tls_cert, "tls_key": tls_key}
        return _work_for(
            scheduler, {key: str(file or "") for key, file in given.items()}, config_path
        )
    incoming, outgoing = standard_streams()
    config = config_file.load(config_path)
    if state is not None:
        paths = replace(config.paths, state=state, logs=state / "logs")
        config = replace(config, paths=paths)

    def commands(config: Config) -> Commands:
        return stage_commands(config, hardware.choose(config.transcribe.backend))

    backend = hardware.choose(config.transcribe.backend)
    return Lender(config, backend, commands).serve(incoming, outgoing)


def _work_for(scheduler: str, files: dict[str, str], config_path: Path) -> int:
    """Raises UsageError for an address that is none, DropscribeError where Dask is missing."""
    try:
        cluster = read(Cluster, {"scheduler": scheduler} | files)
    except ValueError as error:
        raise UsageError(f"--scheduler: {error}") from None
    config = config_file.load(config_path)
    try:
        from daemon.cluster import dask_worker  # noqa: PLC0415 - an extra
        from daemon.cluster.dask_connection import DaskAddress  # noqa: PLC0415
    except ImportError:
        raise DropscribeError("Dask is missing: pip install 'dropscribe[cluster]'") from None
    os.environ["DROPSCRIBE_CONFIG"] = str(config_path.absolute())
    dask_worker.serve(
        DaskAddress.of(cluster), config.paths.state / LENT / "dask", config.lend.files
    )
    return OK
