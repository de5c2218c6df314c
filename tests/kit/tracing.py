"""strace fails calls where we cannot: whether it is here, and may trace."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def _can_trace() -> bool:
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0


needs_strace = pytest.mark.skipif(not _can_trace(), reason="strace cannot be used here")
