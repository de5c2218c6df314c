"""`dropscribe lend`: the other end of a cluster, started by its owner's ssh; or a Dask worker."""

from __future__ import annotations

import os
from pathlib import Path

import click
from msgspec.structs import replace

from daemon.cluster.lender import Lender, standard_streams
from daemon.commands.command_line import command
from daemon.commands.service import in_our_words
from daemon.config import file as config_file
from daemon.config.settings import Cluster, Config
from daemon.config.table import read
from daemon.errors import OK, DropscribeError, UsageError
from daemon.files.state_folder import LENT
from daemon.models import hardware
from daemon.service.manager import Host, lend_spec, new_life, service_for
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
@click.option("--install", is_flag=True, help="Do that now and at every login, as a service.")
@click.option("--uninstall", is_flag=True, help="Stop it, and forget the service.")
def lend(
    config_path: Path,
    state: Path | None,
    scheduler: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    install: bool,
    uninstall: bool,
) -> int:
    """Work for another machine's daemon, over this connection, until it ends."""
    config = config_file.load(config_path)
    given = {"tls_ca": tls_ca, "tls_cert": tls_cert, "tls_key": tls_key}
    files = {key: str(file.absolute()) for key, file in given.items() if file}
    if uninstall:
        return _uninstall(config_path, config)
    if scheduler is not None:
        try:
            cluster = read(Cluster, {"scheduler": scheduler} | files)
        except ValueError as error:
            raise UsageError(f"--scheduler: {error}") from None
        if install:
            return _install(config_path, config, scheduler, files)
        return _work_for(cluster, config, config_path)
    if install:
        raise UsageError("--install is for a standing worker: say its --scheduler, too")
    return _work_for_the_owner(config, state)


def _work_for_the_owner(config: Config, state: Path | None) -> int:
    incoming, outgoing = standard_streams()
    if state is not None:
        paths = replace(config.paths, state=state, logs=state / "logs")
        config = replace(config, paths=paths)

    def commands(config: Config) -> Commands:
        return stage_commands(config, hardware.choose(config.transcribe.backend))

    backend = hardware.choose(config.transcribe.backend)
    return Lender(config, backend, commands).serve(incoming, outgoing)


def _folder(config: Config) -> Path:
    return config.paths.state / LENT / "dask"


def _work_for(cluster: Cluster, config: Config, config_path: Path) -> int:
    """Raises DropscribeError where Dask is missing."""
    try:
        from daemon.cluster import dask_worker  # noqa: PLC0415 - an extra
        from daemon.cluster.dask_connection import DaskAddress  # noqa: PLC0415
    except ImportError:
        raise DropscribeError("Dask is missing: pip install 'dropscribe[cluster]'") from None
    os.environ["DROPSCRIBE_CONFIG"] = str(config_path.absolute())
    dask_worker.serve(DaskAddress.of(cluster), _folder(config), config.lend.files)
    return OK


def _install(config_path: Path, config: Config, scheduler: str, files: dict[str, str]) -> int:
    folder = _folder(config)
    keys = [word for key, file in files.items() for word in (f"--{key.replace('_', '-')}", file)]
    spec = lend_spec(config_path, config, ("--scheduler", scheduler, *keys), folder)
    with in_our_words():
        service = service_for(spec, Host())
        service.install(new_life(folder))
    print(f"This machine works for {scheduler}, when [lend] allows it, and at every login again.")
    print(f"  log           {spec.log}")
    print(f"  service file  {service.file.path}")
    return OK


def _uninstall(config_path: Path, config: Config) -> int:
    with in_our_words():
        service = service_for(lend_spec(config_path, config, (), _folder(config)), Host())
        was_there = service.uninstall()
    print("The worker was removed." if was_there else "There was no worker to remove.")
    return OK
