"""The command line: which commands there are, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from daemon import __version__
from daemon.commands.command_line import LazyGroup
from daemon.errors import FAILED, INTERRUPTED, UNEXPECTED, DropscribeError
from daemon.models.hardware import NO_TELEMETRY

_COMPLETION = "_DROPSCRIBE_COMPLETE"  # set by the shell's completion script

SECTIONS = {
    "Recordings": {
        "transcribe": "transcribe files now, without the daemon",
        "status": "what is being done, what waits, what was done",
        "show": "everything about one file",
        "wait": "until files are done, for scripts",
        "inbox": "what lies in the inbox, and what is left alone",
        "jobs": "list every file that came in, and what became of it",
        "search": "find where something was said, in all transcripts",
        "cancel": "give up a file that waits or is being worked on",
        "retry": "put failed recordings back into the inbox",
        "clear": "forget failures that have been seen to",
        "realign": "words again for a finished job, without transcribing",
        "speakers": "who speaks: show, name, or count anew",
        "render": "text and subtitles again, from a delivered JSON",
    },
    "The daemon": {
        "run": "watch the inbox and transcribe what is dropped there",
        "install": "start now and at every login",
        "uninstall": "stop, and do not start at login any more",
        "start": "start the installed service",
        "stop": "stop the service until the next login",
        "restart": "stop and start the service",
        "lend": "work for another machine's daemon (started over ssh)",
        "logs": "show the end of the log, or what it says of a file",
    },
    "This machine": {
        "doctor": "look for problems, each with its remedy",
        "models": "fetch the models that are needed, list or verify them",
        "languages": "what --language takes",
        "config": "write, show, check or change the configuration",
        "demo": "show the main job on bundled recordings",
        "cluster": "have other machines work for this one",
        "bench": "measure this machine, beside the peers that are installed",
    },
    "About": {
        "help": "explain a command",
        "version": "print the version",
        "completion": "print the completion script for a shell",
    },
}
_SERVICE = ("install", "uninstall", "start", "stop", "restart")
_PLACES = {name: f"service:{name}_command" for name in _SERVICE}
_PLACES |= {name: f"about:{name}" for name in SECTIONS["About"]} | {"help": "about:help_"}

ROOT = LazyGroup(
    "dropscribe",
    help="Drop a recording into a folder; text, subtitles and word times appear.",
    sections=SECTIONS,
    places=_PLACES,
    params=[
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=lambda context, _, given: _print_version(context) if given else None,
            help="Print the version.",
        )
    ],
    examples=[
        ("dropscribe transcribe talk.mp4 -o .", "one file, now"),
        ("dropscribe install", "from now on, whatever is dropped into the inbox"),
        ("dropscribe status --watch", "how far it is"),
        ("dropscribe help transcribe", "more about a command"),
    ],
)


def _print_version(context: click.Context) -> None:
    click.echo(f"dropscribe {__version__}")
    context.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    os.environ.update(NO_TELEMETRY)
    try:
        return _called(sys.argv[1:] if arguments is None else arguments)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left: `dropscribe jobs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except Exception as error:  # the one error boundary of this process
        return _told(error)


def _called(arguments: Sequence[str]) -> int:
    if instruction := os.environ.get(_COMPLETION):
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only for the shell

        return shell_complete(ROOT, {}, "dropscribe", _COMPLETION, instruction)
    with ROOT.make_context("dropscribe", list(arguments)) as context:
        return int(ROOT.invoke(context) or 0)


def _told(error: Exception) -> int:
    """Tell the person what happened; the exit code for it."""
    match error:
        case click.UsageError():
            from daemon.commands.usage import problem  # noqa: PLC0415 - only for this

            click.echo(problem(error), err=True)
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case DropscribeError():
            _say(str(error))
            return error.exit_code
        case OSError():
            from daemon.files.faults import explain  # noqa: PLC0415 - only for this

            _say(explain(error))
            return FAILED
        case _:
            from daemon.reporting import event_log  # noqa: PLC0415 - loguru is heavy

            event_log.unexpected(error)
            _say(f"unexpected {type(error).__name__}: {error}")
            return UNEXPECTED


def _say(problem: str) -> None:
    """On standard error, with nothing in it that a file's name could do to a terminal."""
    from daemon.domain.names import printable  # noqa: PLC0415 - only for this

    lines = [printable(line) for line in problem.split("\n")]
    click.echo("dropscribe: " + "\n".join(lines), err=True)


if __name__ == "__main__":
    raise SystemExit(main())
