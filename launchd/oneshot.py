"""Running a program once inside launchd, to see the world as the service sees it.

Privacy grants differ: what a terminal may read, the service may be denied without a question.
"""

from __future__ import annotations

import json
import os
import plistlib
from dataclasses import replace
from pathlib import Path

from launchd import launchctl
from launchd.agent_spec import AgentSpec, Plist
from launchd.command import wait_until
from launchd.errors import ServiceError
from launchd.launchctl import Launchctl, explain
from launchd.own_file import OwnFile


def once(spec: AgentSpec) -> Plist:
    """The property list of a program that runs when it is loaded, and not again. Pure."""
    changes: Plist = {"KeepAlive": False, "RunAtLoad": True, "StandardErrorPath": os.devnull}
    return spec.to_plist() | changes


def ask(spec: AgentSpec, ctl: Launchctl, folder: Path, seconds: float) -> object:
    """The JSON document that `spec`'s program prints when launchd runs it.

    `ctl` speaks of a label that no service has; our files in `folder` are removed afterwards.
    Raises ServiceError if launchd does not run it, or if it is not done after `seconds`.
    """
    output = folder / f"{ctl.label}.json"
    output.unlink(missing_ok=True)
    plist = once(replace(spec, label=ctl.label, log=output))
    file = OwnFile(folder / f"{ctl.label}.plist")
    file.write(plistlib.dumps(plist, sort_keys=False))
    try:
        reply = ctl.load(file.path, launchctl.LOAD_SECONDS)
        if reply.code != launchctl.OK:
            raise ServiceError(explain("run a test", reply))
        if not wait_until(lambda: _answer(output) is not None, seconds, ctl.clock):
            raise ServiceError(f"launchd did not run a test within {seconds:.0f} seconds")
        return _answer(output)
    finally:
        ctl.bootout(spec.exit_seconds)
        file.remove()
        output.unlink(missing_ok=True)


def _answer(output: Path) -> object:
    """What was printed; None until it is complete."""
    try:
        return json.loads(output.read_bytes())
    except (OSError, ValueError):
        return None
