"""`dropscribe demo`: the main job on bundled recordings, with the real daemon, before your eyes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.options import EXISTING_FILE
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import FAILED, INTERRUPTED, OK
from daemon.files.state_folder import STATUS, TIMING_SUFFIX
from daemon.models import hardware, registry
from daemon.models.demo import for_demo

# Public domain, public domain and CC0: bundled/README.md says where they are from.
RECORDINGS = tuple(
    registry.BUNDLED / "audio" / name for name in ("jfk.flac", "simplicissimus.mp3", "cv_ja.mp3")
)


@click.command()
@click.argument("recordings", nargs=-1, type=EXISTING_FILE, metavar="[RECORDING]...")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; default: a new one.")
@click.option("--backend", type=click.Choice(["mlx", "ctranslate2"]))
def demo(recordings: tuple[Path, ...], folder: Path | None, backend: str | None) -> int:
    """Show the main job on RECORDINGs, or on bundled ones, with the real daemon."""
    root = (folder or Path(tempfile.mkdtemp(prefix="dropscribe-demo-"))).resolve()
    config = for_demo(root, backend or _preferred())
    config.paths.inbox.mkdir(parents=True, exist_ok=True)
    config_file.save(config, root / "config.toml")
    automatic = hardware.choose("auto")
    print(
        f"On this machine `auto` chooses {automatic.name} on {automatic.device}: {automatic.why}."
    )
    print(f"This demo runs {config.transcribe.backend}, with Whisper base, which is bundled.\n")
    try:
        if not _transcribed(root / "config.toml", config, recordings or RECORDINGS):
            return FAILED
    except KeyboardInterrupt:
        print("The demo was stopped.")
        return INTERRUPTED
    _show(config)
    return OK


def _preferred() -> str:
    """The product's heart is MLX: show it wherever it runs."""
    return "mlx" if hardware.has_mlx() else "auto"


def _transcribed(config_path: Path, config: Config, recordings: Sequence[Path]) -> bool:
    """Start the real daemon, drop the recordings, wait for the results; its log is shown live."""
    command = [sys.executable, "-m", "daemon", "--config", str(config_path), "run", "--verbose"]
    with subprocess.Popen(command) as daemon:
        try:
            _wait(daemon, (config.paths.state / STATUS).exists)
            for recording in recordings:
                print(f"dropping {recording.name} into {config.paths.inbox}", flush=True)
                shutil.copy(recording, _free(config.paths.inbox / recording.name))
            return _wait(daemon, lambda: _ended(config) == len(recordings))
        finally:
            daemon.terminate()
            daemon.wait()  # after Ctrl-C, leaving the block would not wait for its end


def _free(target: Path) -> Path:
    """Two recordings may bear one name."""
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{target.stem} ({number}){target.suffix}")
    return target


def _wait(daemon: subprocess.Popen[bytes], condition: Callable[[], bool]) -> bool:
    """Wait for something that the daemon does; False if it ended before."""
    while not condition():
        if daemon.poll() is not None:
            return False
        time.sleep(0.1)
    return True


def _ended(config: Config) -> int:
    """How many files have left the inbox for good: the last thing that happens to a file."""
    folders = (config.paths.done, config.paths.failed)
    return sum(1 for folder in folders for path in folder.glob("*") if path.suffix != ".json")


def _show(config: Config) -> None:
    outbox = config.paths.outbox
    for path in sorted(outbox.glob(f"*.{TIMING_SUFFIX}")):
        stem = path.name.removesuffix(f".{TIMING_SUFFIX}")
        document, timing = tables.read_delivery(outbox, stem)
        print(f"\n{tables.summary(stem, outbox, stem)}")
        print("  text          " + document["text"][:600])
        words = [f"{w['word']} {w['start']:.2f}" for w in timing["words"][:8]]
        print("  words         " + "  ".join(words) + " …")
    print(f"\nThe results are in   {outbox}")
    print(f"The recordings are in {config.paths.done}")
    print(f"The log is           {config.paths.logs / 'daemon.log'}")
