"""install, uninstall, start, stop, restart: the daemon as a service of this user."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import OK, DropscribeError, TemporaryError
from daemon.files import lock
from daemon.service.guards import refuse_guarded
from daemon.service.manager import (
    Host,
    Service,
    agent_spec,
    current_life,
    new_life,
    refuse_a_second_daemon,
    service_for,
)
from launchd.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Setting:
    """What every verb needs: whose service, of which configuration."""

    config_path: Path
    config: Config
    host: Host
    service: Service
    guarded: bool = False  # folders that macOS guards are granted, says the user


def setting(config_path: Path, host: Host) -> Setting:
    """Raises UsageError for a bad configuration, before anything is touched."""
    config = config_file.load(config_path)
    service = service_for(agent_spec(config_path, config), host)
    return Setting(config_path, config, host, service)


def install(now: Setting) -> None:
    """Start the daemon now and at every login, or bring a running one up to date."""
    paths = now.config.paths
    if not now.guarded:
        refuse_guarded(now.config, now.host)
    refuse_a_second_daemon(paths.state, now.service)
    now.service.install(new_life(paths.state))
    print("dropscribe is running, and will start whenever you log in.")
    print(f"  drop recordings into  {paths.inbox}")
    print(f"  results appear in     {paths.outbox}")
    print(f"  log                   {paths.logs}  (dropscribe logs -f)")
    print(f"  service file          {now.service.file.path}")
    if now.host.platform == "darwin":
        print("macOS may say that python, or whoever signed it, can run in the background:")
        print("that is dropscribe.")


def uninstall(now: Setting) -> None:
    """Stop the daemon and forget the service. Recordings, results and settings stay."""
    was_there = now.service.uninstall()
    print("The service was removed." if was_there else "There was no service to remove.")
    print(
        f"Your recordings, results and settings are still there: {now.config.paths.inbox.parent},"
    )
    print(f"{now.config.paths.state}, {now.config_path}")


def start(now: Setting) -> None:
    """Start the installed service if it is not running."""
    state = now.config.paths.state
    refuse_a_second_daemon(state, now.service)
    now.service.start(lambda: current_life(state) is not None)
    print("dropscribe is running.")


def stop(now: Setting) -> None:
    """Stop the service until the next login or `start`; a job at work goes on then."""
    state = now.config.paths.state
    if not now.service.running():
        refuse_a_second_daemon(state, now.service)
        print("dropscribe was not running.")
        return
    now.service.stop()
    if lock.is_held(state):
        raise TemporaryError("dropscribe was asked to stop, and still runs: look again in a moment")
    print("dropscribe is stopped until you log in again or say: dropscribe start")


def restart(now: Setting) -> None:
    """Stop and start, for a new configuration or version."""
    state = now.config.paths.state
    refuse_a_second_daemon(state, now.service)
    now.service.restart(new_life(state))
    print("dropscribe was restarted.")


def _command(act: Callable[[Setting], None]) -> click.Command:
    def run(config_path: Path) -> int:
        with in_our_words():
            act(setting(config_path, Host()))
        return OK

    run.__doc__ = act.__doc__
    return command(act.__name__)(run)


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """The service manager's troubles are expected failures of ours."""
    try:
        yield
    except ServiceError as error:
        raise DropscribeError(str(error)) from error


@command("install")
@click.option("--guarded", is_flag=True, help="Folders that macOS guards are granted already.")
def install_command(config_path: Path, guarded: bool) -> int:
    """Start the daemon now and at every login, or bring a running one up to date."""
    with in_our_words():
        install(replace(setting(config_path, Host()), guarded=guarded))
    return OK


uninstall_command = _command(uninstall)
start_command = _command(start)
stop_command = _command(stop)
restart_command = _command(restart)
