"""`dropscribe demo`: the main job on bundled recordings, with the real daemon, before your eyes."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import FAILED, OK
from daemon.files.state_folder import STATUS, TIMING_SUFFIX
from daemon.models import hardware, registry
from daemon.outbox.summary import read, table

RECORDINGS = registry.BUNDLED / "audio"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, help="where (default: a new temporary one)")
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"))


def _run(arguments: argparse.Namespace) -> int:
    root = arguments.folder or Path(tempfile.mkdtemp(prefix="dropscribe-demo-"))
    config = config_file.for_demo(root.resolve(), arguments.backend or _preferred())
    config.paths.inbox.mkdir(parents=True, exist_ok=True)
    config_path = root.resolve() / "config.toml"
    config_file.save(config, config_path)
    automatic = hardware.choose("auto")
    print(
        f"On this machine `auto` chooses {automatic.name} on {automatic.device}: {automatic.why}."
    )
    print(f"This demo runs {config.transcribe.backend}, with models for synthetic speech only.\n")
    if not _transcribed(config_path, config):
        return FAILED
    _show(config)
    return OK


def _preferred() -> str:
    """The product's heart is MLX: show it wherever it runs."""
    return "mlx" if hardware.has_mlx() else "auto"


def _transcribed(config_path: Path, config: Config) -> bool:
    """Start the real daemon, drop the recordings, wait for the results; its log is shown live."""
    recordings = sorted(RECORDINGS.iterdir())
    command = [sys.executable, "-m", "daemon", "--config", str(config_path), "run", "--verbose"]
    with subprocess.Popen(command) as daemon:
        try:
            _wait(daemon, (config.paths.state / STATUS).exists)
            for recording in recordings:
                print(f"dropping {recording.name} into {config.paths.inbox}", flush=True)
                shutil.copy(recording, config.paths.inbox)
            return _wait(daemon, lambda: _ended(config) == len(recordings))
        except KeyboardInterrupt:
            return False
        finally:
            daemon.terminate()


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
        document, _ = read(outbox, stem)
        print(f"\n{table(stem, outbox, stem)}")
        print("  text          " + document["text"][:600])
        words = [f"{w['word']} {w['start']:.2f}" for w in document["word_segments"][:8]]
        print("  words         " + "  ".join(words) + " …")
    print(f"\nThe results are in   {outbox}")
    print(f"The recordings are in {config.paths.done}")
    print(f"The log is           {config.paths.logs / 'daemon.log'}")


VERB = Verb("demo", "show the main job on bundled recordings", _arguments, _run)
