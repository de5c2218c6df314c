"""`dropscribe render JOB|NAME|PATH`: text and subtitles again, from the delivered JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, opened_ledger, path_of
from daemon.commands.options import FOLDER, chosen_formats
from daemon.config import file as config_file
from daemon.config.settings import Config, Paths
from daemon.domain.job import Job, Stage
from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.errors import FAILED, OK, DropscribeError
from daemon.files.atomic import write_atomically
from daemon.files.state_folder import TIMING_SUFFIX
from daemon.outbox import placing
from daemon.outbox.rendition import rendition
from daemon.rendering.formats import FORMATS

_ENDING = f".{placing.JSON}"


@command(
    examples=[
        ("dropscribe render 12 -f vtt --force", "job 12's subtitles, after a correction"),
        ("dropscribe render ./talk.json -f srt -o .", "from that very file"),
    ]
)
@click.argument("which", type=JOB, metavar="JOB|NAME|PATH")
@click.option("-f", "--formats", help=f"Of {', '.join(FORMATS)}. Default: as configured.")
@click.option("-o", "--output-dir", type=FOLDER, help="Default: beside the JSON.")
@click.option("--force", is_flag=True, help="Replace what is there already.")
def render(
    config_path: Path, which: str, formats: str | None, output_dir: Path | None, force: bool
) -> int:
    """Write text and subtitles again, from a delivered JSON, which may have been corrected."""
    config = config_file.load(config_path)
    chosen = config.output.formats if formats is None else chosen_formats(formats)
    document = _document(config.paths, which)
    stem = document.name.removesuffix(_ENDING)
    files = _rendered(config, chosen, document.parent, stem)
    target = output_dir or document.parent
    target.mkdir(parents=True, exist_ok=True)
    written = [_write(data, target / f"{stem}.{name}", force) for name, data in files.items()]
    return OK if all(written) else FAILED


def _document(paths: Paths, which: str) -> Path:
    """The JSON that is meant: the very file of a path, or a delivered job's."""
    path = path_of(which)
    if path is not None and path.name.endswith(_ENDING):
        return path
    with opened_ledger(paths) as ledger:
        try:
            job = find_job(ledger, paths, which, _is_delivered, "delivered job")
        except DropscribeError:
            # The queue may be younger than the outbox: a name may still be a delivery's.
            named = paths.outbox / f"{which.removesuffix(_ENDING)}{_ENDING}"
            if path is None and "/" not in which and named.is_file():
                return named
            raise
    return paths.outbox / f"{job.stem}{_ENDING}"


def _is_delivered(job: Job) -> bool:
    return job.next is Stage.DONE and job.stem is not None


def _rendered(config: Config, names: Sequence[str], outbox: Path, stem: str) -> dict[str, bytes]:
    path = outbox / f"{stem}.{placing.JSON}"
    try:
        document = json.loads(path.read_bytes())
        source = config.paths.inbox / str(document.get("provenance", {}).get("source", stem))
        stages = _stages(outbox, stem)
        return rendition(config, names, document, stem, stages, source, outbox.absolute())
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


def _write(data: bytes, path: Path, force: bool) -> bool:
    try:
        if force:
            write_atomically(path, data)
        else:
            placing.place(data, path)
    except FileExistsError:
        print(f"{printable(str(path))} is there already: left as it is (--force replaces it)")
        return False
    print(printable(str(path)))
    return True
