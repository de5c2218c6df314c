"""Files to words with times: the real daemon beside the peers' command lines, in turn."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from daemon.bench import peers, synthetic
from daemon.bench.measurement import Measurement, Note, System, paired
from daemon.config import file as config_file
from daemon.models.demo import for_demo


def measure(
    recording: Path,
    files: int,
    backends: Sequence[str],
    rounds: int,
    wanted: Sequence[str] = (),
) -> list[Measurement]:
    """Copies of `recording`, with the demo models for everybody, cold start included.

    Ours is `dropscribe run --once` on an inbox that holds them all, settling included; a peer is
    one process a file.
    """
    synthetic.require()
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        folder = Path(temporary)
        copies = _copies(recording, folder, files)
        systems = {
            f"dropscribe ({name})": System(partial(_ours, copies, name)) for name in backends
        }
        for peer in peers.installed(wanted):
            systems[peer] = System(partial(_peer, peer, copies, folder / "cache"))
        table = f"{files} × {recording.stem} to aligned words, cold start included"
        return paired(table, systems, rounds, warm_up=False)


def _copies(recording: Path, folder: Path, count: int) -> list[Path]:
    """Files of different content: the same bytes twice would be one job."""
    copies = [folder / f"{recording.stem}-{index}{recording.suffix}" for index in range(count)]
    for index, copy in enumerate(copies):
        copy.write_bytes(recording.read_bytes() + bytes(index))
    return copies


def _ours(files: Sequence[Path], backend: str) -> Mapping[str, Note]:
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        config = for_demo(Path(temporary), backend, str(synthetic.WHISPER), str(synthetic.ALIGNER))
        config_file.save(config, Path(temporary) / "config.toml")
        config.paths.inbox.mkdir()
        for file in files:
            shutil.copy(file, config.paths.inbox)
        options = ["--config", str(Path(temporary) / "config.toml"), "run", "--once"]
        peers.run(["daemon", *options], os.environ)
        return {"files": len(list(config.paths.outbox.glob("*.srt")))}


def _peer(peer: str, files: Sequence[Path], cache: Path) -> Mapping[str, Note]:
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as outbox:
        for file in files:
            peers.transcribe(peer, file, Path(outbox), cache)
        return {"files": len(list(Path(outbox).glob("*.json")))}
