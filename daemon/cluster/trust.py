"""Our key, and the pinned keys of the machines that lend themselves: `dropscribe cluster add`.

OpenSSH's own tools make and read them; ours are apart from the user's, in the state folder.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from daemon.cluster import ssh
from daemon.errors import DropscribeError
from daemon.files.state_folder import CLUSTER

_SECONDS = 60.0


def public_key(state: Path) -> str:
    """Our public key, made if there is none. Raises DropscribeError."""
    folder = state / CLUSTER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = folder / ssh.KEY
    if not key.exists():
        made = ("-q", "-t", "ed25519", "-N", "", "-C", "dropscribe cluster", "-f", str(key))
        _run([ssh.program("ssh-keygen"), *made])
    return key.with_suffix(".pub").read_text(encoding="utf-8").strip()


def authorized_line(public: str, program: str) -> str:
    """What lets our key start `dropscribe lend` there, and do nothing else."""
    return f'restrict,command="{program} lend" {public}'


def pin(state: Path, host: str) -> str:
    """Keep the machine's host key, if none is kept; its fingerprint, "" if that is not known.

    A host key that is another one than the one that was pinned is never replaced.
    """
    known = state / CLUSTER / ssh.KNOWN_HOSTS
    command = [
        "-oStrictHostKeyChecking=accept-new" if part == "-oStrictHostKeyChecking=yes" else part
        for part in ssh.command(state, host)
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            code = process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise DropscribeError(f"{host}: it does not answer") from None
        errors.seek(0)
        said = errors.read(10_000).decode(errors="replace")
    if code == 255 and "permission denied" not in said.lower():  # ssh's own failures
        raise DropscribeError(f"{host}: {ssh.explained(said, host)}")
    if not known.exists():
        return ""
    found = _run([ssh.program("ssh-keygen"), "-l", "-f", str(known)])
    lines = [line for line in found.splitlines() if _is_of(line, host)]
    return lines[-1] if lines else ""


def unpin(state: Path, host: str) -> None:
    """Forget the machine's host key."""
    known = state / CLUSTER / ssh.KNOWN_HOSTS
    if known.exists():
        _run([ssh.program("ssh-keygen"), "-q", "-R", _named(host), "-f", str(known)])


def _named(host: str) -> str:
    """As known_hosts names it: NAME, or [NAME]:PORT."""
    place = host.removeprefix("ssh://").rpartition("@")[2]
    name, _, port = place.partition(":")
    return f"[{name}]:{port}" if port and port != "22" else name


def _is_of(line: str, host: str) -> bool:
    return _named(host) in line.split()


def _run(command: Sequence[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise DropscribeError(f"{Path(command[0]).name} failed: {ran.stderr.strip()[:300]}")
    return ran.stdout
