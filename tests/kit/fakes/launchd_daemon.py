"""A tiny daemon: `launchd_daemon.py SIGNS MODE` appends a sign of life to SIGNS, then waits.

MODE: polite (ends on SIGTERM), stubborn (ignores it), parent (polite, with a child in its group),
silent (lives without a sign), crash (ends at once with status 1), quit (ends at once with 0).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType


def leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


signs, mode = Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else leave)
child = subprocess.Popen(["sleep", "60"]).pid if mode == "parent" else None
if mode == "crash":
    sys.exit("I cannot go on: there is no disk")
if mode != "silent":
    sign = {"pid": os.getpid(), "child": child, "cwd": str(Path.cwd()), "env": dict(os.environ)}
    with signs.open("a") as file:
        file.write(json.dumps(sign | {"umask": os.umask(0), "leader": os.getsid(0)}) + "\n")
while mode != "quit":
    time.sleep(0.02)
