"""Which program macOS takes for ours, where a person has to find or to grant it."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

_APP = Path("Resources/Python.app")


def running_program(pid: int | None = None, base: Path | None = None) -> Path:
    """The file that a process (this one) really runs: proc_pidpath(3) on macOS, as psutil asks it.

    A virtual environment's python is a link, and a framework build (python.org's, Homebrew's)
    starts itself again from inside Resources/Python.app (cpython, Mac/Tools/pythonw.c). Where the
    system does not tell, the Python.app of `base` (sys.base_prefix), if it has one.
    """
    try:
        return Path(psutil.Process(pid).exe())
    except (psutil.Error, OSError):
        app = (base or Path(sys.base_prefix)) / _APP
        return app if app.is_dir() else Path(sys.executable).resolve()


def program_to_grant(program: Path) -> Path:
    """What is chosen in System Settings: the app that `program` lies in, else `program` itself."""
    return next((folder for folder in program.parents if folder.suffix == ".app"), program)


def grant_is_lost(program: Path) -> str:
    """When a grant for `program` ends, for a person; "" where nothing is known of that.

    Homebrew signs its programs ad hoc, so that each version is another one for macOS; not verified
    on a Mac.
    """
    homebrew = {"Cellar", "homebrew"} & set(program.parts)
    return "grant it again after an upgrade by Homebrew" if homebrew else ""
