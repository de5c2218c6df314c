"""The whole cycle as a service: install, drop, result, stop, uninstall. In a folder of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

from daemon.config.file import save
from daemon.config.settings import Config
from daemon.models.demo import for_demo
from daemon.models.registry import BUNDLED
from daemon.proof.items import CouldNotError, Found
from daemon.service.manager import Host, agent_spec, new_life, service_for

_SAMPLE = BUNDLED / "audio" / "jfk.flac"
_RESULT_SECONDS = 300.0


def cycle(host: Host, backend: str, model: str, recording: Path = _SAMPLE) -> tuple[bool, Found]:
    """Refuses to touch a service that is installed."""
    installed = service_for(agent_spec(Path("none"), Config()), host)
    if installed.installed() or installed.running():
        raise CouldNotError("dropscribe is installed; first: dropscribe uninstall")
    with tempfile.TemporaryDirectory(prefix="dropscribe-smoke-", dir=host.home) as made:
        root = Path(made)
        config = for_demo(root, backend, model)
        config.paths.inbox.mkdir()
        save(config, root / "config.toml")
        service = service_for(agent_spec(root / "config.toml", config), host)
        found: Found = {"model": model if "/" not in model else "a model of the user's"}
        begun = time.monotonic()
        try:
            service.install(new_life(config.paths.state))
            found["install_seconds"] = round(time.monotonic() - begun, 1)
            found |= _deliver(config, recording)
            service.stop()
            found["stopped"] = not service.running()
        finally:
            service.uninstall()
        found["uninstalled"] = not service.installed()
        return found["delivered"] and found["stopped"] and found["uninstalled"], found


def _deliver(config: Config, recording: Path) -> Found:
    begun = time.monotonic()
    hidden = config.paths.inbox / ".dropping"
    shutil.copyfile(recording, hidden)
    hidden.rename(config.paths.inbox / f"smoke{recording.suffix}")
    result = config.paths.outbox / "smoke.json"
    while not result.exists():
        if time.monotonic() - begun > _RESULT_SECONDS or any(config.paths.failed.glob("*.json")):
            return {"delivered": False}
        time.sleep(0.25)
    document = json.loads(result.read_bytes())
    return {
        "delivered": True,
        "result_seconds": round(time.monotonic() - begun, 1),
        "backend": document["provenance"]["backend"],
        "device": document["provenance"]["device"],
        "alignment": document["alignment"]["status"],
        "words": len(document["word_segments"]),
    }
