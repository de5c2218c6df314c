"""How ssh is called: our own key, pinned host keys, nothing asked, nothing forwarded.

On macOS it is Apple's /usr/bin/ssh, whatever else is installed: from macOS 15 on, a LaunchAgent's
own sockets do not reach other machines on the local network, and Apple's ssh is exempt (TN3179).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from daemon.errors import DropscribeError
from daemon.files.state_folder import CLUSTER

KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
_OPTIONS = (
    *("BatchMode=yes", "IdentitiesOnly=yes", "PreferredAuthentications=publickey"),
    *("StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no"),
    "HashKnownHosts=no",  # the names are in our configuration anyway
    *("ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"),
    *("ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "ControlMaster=no"),
    *("ControlPath=none", "PermitLocalCommand=no", "RequestTTY=no", "LogLevel=ERROR"),
)
NO_KEY = "it does not let our key in"
NO_PROGRAM = "dropscribe is not where its line in ~/.ssh/authorized_keys says"
_HELP = {  # the first that is found counts
    "identification has changed": "its host key is another one than the one that was pinned: if it"
    " was set up anew, run `dropscribe cluster remove {0}`, then `dropscribe cluster add {0}`",
    "host key verification failed": "its host key is not pinned: run `dropscribe cluster add {}`",
    "permission denied": NO_KEY + ": run `dropscribe cluster add {}`",
    "command not found": NO_PROGRAM,
    "no such file or directory": NO_PROGRAM,
    ": not found": NO_PROGRAM,
}


def program(name: str = "ssh") -> str:
    """Raises DropscribeError where there is none."""
    found = f"/usr/bin/{name}" if sys.platform == "darwin" else shutil.which(name)
    if not found:
        raise DropscribeError(f"{name} is not installed: other machines are reached through it")
    return found


def command(state: Path, host: str) -> Sequence[str]:
    """What connects to `dropscribe lend` on `host`; the far side decides what is started."""
    folder = state / CLUSTER
    options = [f"-o{option}" for option in _OPTIONS]
    options += [f"-oUserKnownHostsFile={quoted(folder / KNOWN_HOSTS)}"]
    return [program(), "-T", *options, "-i", str(folder / KEY), host, "dropscribe lend"]


def quoted(path: Path) -> str:
    """As ssh's own configuration wants a path with spaces."""
    return f'"{path}"'


def explained(said: str, host: str) -> str:
    """What ssh said on stderr, for a person."""
    lowered = said.lower()
    for sign, text in _HELP.items():
        if sign in lowered:
            return text.format(host)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"it does not answer ({lines[-1][:200]})" if lines else "the connection ended"
