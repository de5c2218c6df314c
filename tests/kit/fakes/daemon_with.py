"""The real daemon with fake stages: daemon_with.py WAYS --config CONFIG run [--once].

WAYS is a JSON object such as {"align": "segv"}; see stage.py.

Only the commands differ from `dropscribe run`: the parts are put together by the same assembly.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from daemon.config import file as config_file
from daemon.reporting.event_log import open_logs
from daemon.supervisor.application import Application
from daemon.supervisor.listeners import Listeners
from tests.kit.fake_commands import fake_commands


def main(ways: str, _: str, path: str, verb: str, *options: str) -> int:
    assert verb == "run"
    config = config_file.load(Path(path))
    open_logs(config.paths.logs, echo=True)
    commands = fake_commands(**json.loads(ways))
    with (
        Listeners.of(config) as listeners,
        Application.open(config, commands, listeners.event_log) as application,
    ):
        listeners.event_log.info("started", "started with fake stages")
        with application.stopped_by((signal.SIGTERM, signal.SIGINT)):
            application.watch(drain="--once" in options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
