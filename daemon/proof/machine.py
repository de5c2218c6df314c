"""The machine itself: its system, the MLX in use, the program that runs and who signed it."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from daemon.proof.items import CouldNotError, Found
from daemon.reporting.webhook import trusted_certificates
from daemon.service.program import grant_is_lost, program_to_grant, running_program

_OLDEST_MACOS = 14
_FEWEST_AUTHORITIES = 50
_SECONDS = 15.0


def system() -> tuple[bool, Found]:
    release = platform.mac_ver()[0] or platform.release()
    found: Found = {
        "system": platform.system(),
        "release": release,
        "machine": platform.machine(),
        "chip": _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "python": platform.python_version(),
    }
    if sys.platform != "darwin":
        raise CouldNotError(f"this is {found['system']} {release} on {found['machine']}")
    return int(release.split(".")[0]) >= _OLDEST_MACOS, found


def mlx_wheel() -> tuple[bool, Found]:
    """By its own metadata: which systems the installed MLX was built for."""
    try:
        mlx = importlib.metadata.distribution("mlx")
    except importlib.metadata.PackageNotFoundError:
        raise CouldNotError("MLX is not installed") from None
    tags = re.findall(r"^Tag: (\S+)", mlx.read_text("WHEEL") or "", re.MULTILINE)
    oldest = [int(found) for tag in tags for found in re.findall(r"macosx_(\d+)_", tag)]
    found: Found = {
        "version": mlx.version,
        "tags": tags,
        "minimum_macos": min(oldest, default=None),
    }
    if not oldest:
        return sys.platform != "darwin", found
    return int(platform.mac_ver()[0].split(".")[0]) >= min(oldest), found


def executable() -> tuple[bool, Found]:
    """Whether doctor names what macOS asks for: the program that runs, or the app around it."""
    program = running_program()
    named = program_to_grant(program)
    found: Found = {
        "is_sys_executable": program == Path(sys.executable),
        "is_its_target": program == Path(sys.executable).resolve(),
        "in_an_app": named.suffix == ".app",
        "file": program.name,
        "lost_at_upgrade": bool(grant_is_lost(program)),
        "signature": signature(program),
    }
    return named.exists(), found


def signature(program: Path) -> str:
    """adhoc, apple, developer, unsigned; or unknown where there is no codesign(1)."""
    said = _said("codesign", "-dvv", str(program))
    if said is None:
        return "unknown"
    if "not signed" in said:
        return "unsigned"
    if "Signature=adhoc" in said:
        return "adhoc"
    return "apple" if "Authority=Software Signing" in said else "developer"


def login_item() -> tuple[bool, Found]:
    """The name in Login Items is of the program or of its certificate; only a person sees which."""
    if sys.platform != "darwin":
        raise CouldNotError("there are no Login Items but on macOS")
    program = running_program()
    kind = signature(program)
    found = {"by_program": Path(sys.executable).name, "signature": kind}
    raise CouldNotError(
        f"look into System Settings, Login Items: is it called {found['by_program']},"
        f" or by a certificate ({kind})?"
    )


def certificates() -> tuple[bool, Found]:
    """Without certifi, python.org's Python for macOS trusts nobody."""
    alone = len(ssl.create_default_context().get_ca_certs())
    ours = len(trusted_certificates().get_ca_certs())
    return ours >= _FEWEST_AUTHORITIES, {"without_certifi": alone, "with_certifi": ours}


def sleeps() -> tuple[bool, Found]:
    """How often it slept and woke since it was started: pmset(1)."""
    said = _said("pmset", "-g", "stats")
    if said is None:
        raise CouldNotError("there is no pmset but on macOS")
    counts = re.findall(r"(Sleep|Dark Wake|User Wake) Count\s*:\s*(\d+)", said)
    found: Found = {name.lower().replace(" ", "_"): int(number) for name, number in counts}
    if not found:
        raise CouldNotError("pmset tells no counts")
    return True, found


def _said(*command: str) -> str | None:
    """All that a command said; None if it is not there or fails."""
    return run_for_text(command)


def run_for_text(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = (done.stdout + done.stderr).strip()
    return said if done.returncode == 0 or "not signed" in said else None
