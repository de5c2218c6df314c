"""From the end of a copy to the finished outbox: a warm daemon beside each peer's command line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from daemon.bench import peers, synthetic
from daemon.bench.measurement import Measurement, Note, System, paired
from daemon.config import file as config_file
from daemon.config.settings import Paths
from daemon.errors import DropscribeError
from daemon.files.state_folder import STATUS
from daemon.models.demo import for_demo

_STAGES = ("queued", "prepare", "transcribe", "align", "publish")
_PATIENCE = 600.0  # seconds, for one file


def measure(
    recording: Path, backends: Sequence[str], rounds: int, wanted: Sequence[str] = ()
) -> list[Measurement]:
    """The same recording again and again, with the demo models for everybody."""
    synthetic.require()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dropscribe-bench-")))
        systems = {}
        for name in backends:
            paths = stack.enter_context(_warm_daemon(root / name, name))
            systems[f"dropscribe ({name})"] = System(partial(_drop, paths, recording))
        for peer in peers.installed(wanted):
            systems[peer] = System(partial(_peer, peer, recording, root / "cache"))
        table = f"{recording.stem}, from the end of the copy to the finished outbox, warm daemon"
        return paired(table, systems, rounds)


@contextmanager
def _warm_daemon(root: Path, backend: str) -> Iterator[Paths]:
    """A daemon at work in `root`; `paired` warms it up."""
    config = for_demo(root, backend, str(synthetic.WHISPER), str(synthetic.ALIGNER))
    config.paths.inbox.mkdir(parents=True)
    config_file.save(config, root / "config.toml")
    command = [sys.executable, "-m", "daemon", "--config", str(root / "config.toml"), "run"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            _wait(config.paths.state / STATUS)
            yield config.paths
        finally:
            daemon.terminate()


def _drop(paths: Paths, recording: Path) -> Mapping[str, Note]:
    number = sum(1 for _ in paths.outbox.glob("*.timing.json"))
    name = f"{recording.stem}-{number}"
    # Bytes behind the end make it another recording: the same one again would be told so.
    content = recording.read_bytes() + number.to_bytes(4, "big")
    (paths.inbox / f"{name}{recording.suffix}").write_bytes(content)
    _wait(paths.outbox / f"{name}.json")
    timing = json.loads((paths.outbox / f"{name}.timing.json").read_bytes())
    return {stage: round(timing["stages"][stage]["seconds"], 2) for stage in _STAGES}


def _wait(path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            raise DropscribeError(f"the daemon did not write {path.name} in {_PATIENCE:.0f} s")
        time.sleep(0.005)


def _peer(peer: str, recording: Path, cache: Path) -> Mapping[str, Note]:
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as outbox:
        peers.transcribe(peer, recording, Path(outbox), cache)
    return {}
