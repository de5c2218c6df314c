"""`dropscribe render JOB|NAME`: text and subtitles again, from the delivered JSON."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.domain.job import Stage, printable
from daemon.domain.transcript import Segment
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.files.state_folder import LEDGER
from daemon.ledger.ledger import Ledger
from daemon.outbox import formats, placing


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="JOB|NAME", help="a job's number, or its outputs' name")
    parser.add_argument("-f", "--formats", default="txt,srt,vtt,tsv", help="default: %(default)s")
    parser.add_argument("-o", "--output-dir", type=Path, metavar="DIR", help="default: the outbox")


def _run(arguments: argparse.Namespace) -> int:
    paths = config_file.load(arguments.config).paths
    stem = _stem(paths.state / LEDGER, arguments.which)
    segments = _segments(paths.outbox / f"{stem}.{placing.JSON}")
    target = arguments.output_dir or paths.outbox
    target.mkdir(parents=True, exist_ok=True)
    written = [
        _write(formats.RENDERERS[name](segments), target / f"{stem}.{name}")
        for name in _chosen(arguments.formats)
    ]
    return OK if all(written) else FAILED


def _chosen(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in formats.RENDERERS]:
        known = ", ".join(formats.RENDERERS)
        raise UsageError(f"{unknown[0]}: no such format; there are {known}")
    return names


def _stem(path: Path, which: str) -> str:
    """The outputs' name of that job; what is no job's number is such a name itself."""
    number = which.removeprefix("#")
    if number.isdecimal() and path.exists():
        with closing(Ledger(path, read_only=True)) as ledger:
            job = ledger.job(int(number))
        if job is not None and job.next is Stage.DONE and job.stem:
            return job.stem
    return Path(which).name.removesuffix(f".{placing.JSON}")


def _segments(path: Path) -> list[Segment]:
    try:
        document = json.loads(path.read_bytes())
        return [Segment.from_json(segment) for segment in document["segments"]]
    except FileNotFoundError:
        raise DropscribeError(f"there is no {printable(str(path))}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DropscribeError(
            f"{printable(path.name)} is no transcript of ours: {error}"
        ) from error


def _write(text: str, path: Path) -> bool:
    try:
        placing.place(text.encode(), path)
    except FileExistsError:
        print(f"{printable(str(path))} is there already: left as it is")
        return False
    print(printable(str(path)))
    return True


VERB = Verb("render", "text and subtitles again, from a delivered JSON", _arguments, _run)
