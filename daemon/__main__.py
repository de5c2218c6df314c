"""The command line: which verbs there are, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from daemon import __version__
from daemon.commands import (
    bench,
    cancel,
    config,
    demo,
    doctor,
    jobs,
    models,
    realign,
    render,
    retry,
    run,
    service,
    status,
    transcribe,
)
from daemon.config import file as config_file
from daemon.errors import FAILED, INTERRUPTED, UNEXPECTED, DropscribeError
from daemon.files.faults import explain

VERBS = (
    run.VERB,
    transcribe.VERB,
    status.VERB,
    jobs.VERB,
    retry.VERB,
    cancel.VERB,
    realign.VERB,
    render.VERB,
    *service.VERBS,
    models.VERB,
    config.VERB,
    doctor.VERB,
    demo.VERB,
    bench.VERB,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.handler(parsed))
    except DropscribeError as error:
        print(f"dropscribe: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left: `dropscribe jobs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OSError as error:
        print(f"dropscribe: {explain(error)}", file=sys.stderr)
        return FAILED
    except Exception as error:  # the one error boundary of this process
        logger.opt(exception=True).critical("unexpected: {}", error)
        print(f"dropscribe: unexpected {type(error).__name__}: {error}", file=sys.stderr)
        return UNEXPECTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dropscribe",
        description="Drop a recording into a folder; text, subtitles and word times appear.",
    )
    parser.add_argument("--version", action="version", version=f"dropscribe {__version__}")
    parser.add_argument(
        "--config",
        type=Path,
        default=config_file.default_path(os.environ),
        help="the configuration file (default: %(default)s)",
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for verb in VERBS:
        sub = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        verb.arguments(sub)
        sub.set_defaults(handler=verb.run)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
