"""Which program is named for a person to grant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from daemon.service.program import grant_is_lost, program_to_grant, running_program


def test_a_program_that_started_itself_again_is_named_by_what_runs(tmp_path: Path) -> None:
    """As a framework build does: what was started is a stub, and says so in sys.executable."""
    stub = tmp_path / "bin" / "python3"
    stub.parent.mkdir()
    stub.symlink_to(sys.executable)
    text = "import sys; from daemon.service.program import *; print(running_program())"
    real = Path(sys.executable).resolve()
    found = subprocess.run(
        [str(stub), "-c", text],
        executable=real,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
    )
    assert Path(found.stdout.strip()) == real


def test_where_the_system_does_not_tell_a_framework_is_known_by_its_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: psutil.Process) -> str:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "exe", denied)
    assert running_program(base=tmp_path) == Path(sys.executable).resolve()
    app = tmp_path / "Resources" / "Python.app"
    app.mkdir(parents=True)
    assert running_program(base=tmp_path) == app


def test_an_app_is_granted_as_a_whole_and_homebrews_is_lost_at_an_upgrade() -> None:
    version = Path(
        "/opt/homebrew/Cellar/python@3.12/3.12.11/Frameworks/Python.framework/Versions/3.12"
    )
    program = version / "Resources/Python.app/Contents/MacOS/Python"
    assert program_to_grant(program) == version / "Resources/Python.app"
    assert "upgrade" in grant_is_lost(program)
    plain = Path("/Users/ada/.local/share/uv/python/cpython-3.12/bin/python3.12")
    assert program_to_grant(plain) == plain
    assert grant_is_lost(plain) == ""
