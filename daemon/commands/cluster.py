"""`dropscribe cluster`: other machines that lend themselves."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from daemon.cluster import ssh, trial, trust
from daemon.commands.command_line import Group
from daemon.commands.hosts_view import describe
from daemon.commands.json_output import print_object
from daemon.config import edit
from daemon.config import file as config_file
from daemon.config.settings import Cluster, Config
from daemon.domain.transcript import Json
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.files import lock
from daemon.files.state_folder import STATUS
from daemon.models.registry import BUNDLED

_SAMPLE = "jfk.flac"  # eleven seconds


@click.group(
    cls=Group,
    examples=[
        ("dropscribe cluster add mac2.local", "have another Mac work for this one"),
        ("dropscribe cluster status", "which there are, and what they do"),
    ],
)
def cluster() -> None:
    """Have other machines work on the recordings that are dropped here."""


@cluster.command()
@click.argument("host")
@click.option("--program", metavar="PATH", help="Where dropscribe is there. Default: as here.")
def add(config_path: Path, host: str, program: str | None) -> int:
    """Make a key, pin the machine's, prove the way there and back, and use the machine.

    HOST is what ssh takes: mac2.local, me@mac2.local, or ssh://me@mac2.local:2222.
    """
    config = config_file.load(config_path)
    hosts = _checked(host, config)
    state = config.paths.state
    public = trust.public_key(state)
    fingerprint = trust.pin(state, host)
    print(f"{host}: its host key is {fingerprint or 'pinned'}")
    print("  compare it with what that machine says: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub")
    try:
        _try_out(config, host)
    except DropscribeError as error:
        missing = next((why for why in (ssh.NO_KEY, ssh.NO_PROGRAM) if why in str(error)), "")
        if missing:
            _say_what_it_needs(host, trust.authorized_line(public, program or _own_program()))
        raise DropscribeError(f"it is not used yet: {missing or error}") from error
    if host not in hosts:
        edit.change(config_path, "cluster.hosts", json.dumps([*hosts, host]))
    print(f"{host} is used from now on.")
    return OK


@cluster.command()
@click.argument("host")
def remove(config_path: Path, host: str) -> int:
    """Use the machine no more, and forget its host key."""
    config = config_file.load(config_path)
    hosts = config.cluster.hosts
    if host not in hosts:
        known = ", ".join(hosts) or "none"
        raise UsageError(f"{host} is not in cluster.hosts; there: {known}")
    left = [other for other in hosts if other != host]
    edit.change(config_path, "cluster.hosts", json.dumps(left))
    trust.unpin(config.paths.state, host)
    print(f"{host} is not used any more. The line in its ~/.ssh/authorized_keys can go, too.")
    return OK


@cluster.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(config_path: Path, as_json: bool) -> int:
    """Each machine: whether it lends itself, what it does, how fast it is."""
    config = config_file.load(config_path)
    running = lock.is_held(config.paths.state)
    hosts = _known(config) if running else []
    if as_json:
        print_object({"running": running, "hosts": hosts})
        return OK
    if not (config.cluster.hosts or config.cluster.scheduler):
        print("There are no other machines: dropscribe cluster add HOST")
        return OK
    if not running:
        print("The daemon does not run, and so no other machine is used: dropscribe start")
        return FAILED
    for host in hosts:
        print(f"{host['name']}: {describe(host)}")
        for worker in host["workers"]:
            print(f"  {worker}")
    return OK


def _known(config: Config) -> list[Json]:
    try:
        content: Json = json.loads((config.paths.state / STATUS).read_bytes())
    except (OSError, ValueError):
        return []
    hosts: list[Json] = content.get("hosts", [])
    return hosts


def _checked(host: str, config: Config) -> list[str]:
    """The hosts so far. Raises UsageError for a name that ssh could take for something else."""
    hosts = list(config.cluster.hosts)
    try:
        Cluster(hosts=(host,))
    except ValueError:
        raise UsageError(f"{host}: this is no name of a machine, such as mac2.local") from None
    return hosts


def _try_out(config: Config, host: str) -> None:
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as name:
        folder = Path(name)
        recording = folder / _SAMPLE
        shutil.copyfile(BUNDLED / "audio" / _SAMPLE, recording)
        went = trial.try_out(config, host, recording, folder)
    print(
        f"{host}: connected in {went.connected:.1f} s; {went.audio:.0f} s of audio went there and"
        f" came back as {went.segments} segment{'s' * (went.segments != 1)}"
        f" in {went.worked:.1f} s"
    )


def _say_what_it_needs(host: str, line: str) -> None:
    print(f"On {host}: install the same version of dropscribe, allow remote login")
    print("(System Settings, General, Sharing), and have this line in ~/.ssh/authorized_keys:")
    print(f"\n{line}\n")
    print("If dropscribe lies elsewhere there (`command -v dropscribe` tells), say --program PATH.")
    print(f"Then again, here: dropscribe cluster add {host}")


def _own_program() -> str:
    """This program, as it was started: it lies in the same place on a like machine."""
    found = shutil.which(sys.argv[0])
    return str(Path(found).absolute()) if found else "dropscribe"
