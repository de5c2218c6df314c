"""For scripts that a person starts directly: run by the Python of .venv, which is made if need be.

Any python3 gets here first, a Mac's own 3.9 as well: nothing newer may stand in this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def enter(extra: str) -> None:
    """Return where our packages are; elsewhere start the script again in .venv, with `extra`."""
    venv = _ROOT / ".venv"
    if find_spec("loguru") or Path(sys.prefix).resolve() == venv.resolve():
        return
    make = f". scripts/environment.sh && make_environment {extra}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", make], cwd=_ROOT, check=True)
    python = str(venv / "bin" / "python")
    os.execv(python, [python, *sys.argv])
