"""`dropscribe render JOB|NAME`: text and subtitles again, from the delivered JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Stage, printable
from daemon.domain.transcript import Json
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.files.state_folder import LEDGER, TIMING_SUFFIX
from daemon.ledger.ledger import Ledger
from daemon.outbox import placing
from daemon.outbox.rendition import rendition
from daemon.rendering.formats import FORMATS


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="JOB|NAME", help="a job's number, or its outputs' name")
    parser.add_argument("-f", "--formats", default="txt,srt,vtt,tsv", help="default: %(default)s")
    parser.add_argument("-o", "--output-dir", type=Path, metavar="DIR", help="default: the outbox")


def _run(arguments: argparse.Namespace) -> int:
    config = config_file.load(arguments.config)
    paths, names = config.paths, _chosen(arguments.formats)
    stem = _stem(paths.state / LEDGER, arguments.which)
    files = _rendered(config, names, paths.outbox, stem)
    target = arguments.output_dir or paths.outbox
    target.mkdir(parents=True, exist_ok=True)
    written = [_write(data, target / f"{stem}.{suffix}") for suffix, data in files.items()]
    return OK if all(written) else FAILED


def _chosen(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in FORMATS]:
        known = ", ".join(FORMATS)
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


def _rendered(config: Config, names: Sequence[str], outbox: Path, stem: str) -> dict[str, bytes]:
    path = outbox / f"{stem}.{placing.JSON}"
    try:
        document = json.loads(path.read_bytes())
        source = config.paths.inbox / str(document.get("provenance", {}).get("source", stem))
        return rendition(config, names, document, stem, _stages(outbox, stem), source)
    except FileNotFoundError:
        raise DropscribeError(f"there is no {printable(str(path))}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{printable(path.name)} is no transcript of ours: {error}"
        raise DropscribeError(message) from error


def _stages(outbox: Path, stem: str) -> Json:
    """What the stages took, if that file is still there: only the page shows it."""
    try:
        stages: Json = json.loads((outbox / f"{stem}.{TIMING_SUFFIX}").read_bytes())["stages"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stages


def _write(data: bytes, path: Path) -> bool:
    try:
        placing.place(data, path)
    except FileExistsError:
        print(f"{printable(str(path))} is there already: left as it is")
        return False
    print(printable(str(path)))
    return True


VERB = Verb("render", "text and subtitles again, from a delivered JSON", _arguments, _run)
