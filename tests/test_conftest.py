"""The tests' own safety net: nobody's real files are within reach."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

from msgspec.structs import asdict

from daemon.config.location import default_path
from daemon.config.settings import Config
from daemon.models import registry


def test_the_real_home_is_out_of_reach(home: Path) -> None:
    real = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert Path.home() == home
    assert home != real
    for folder in asdict(Config().paths).values():
        assert folder.is_relative_to(home)
    assert default_path(os.environ).is_relative_to(home)
    assert registry.conversions(os.environ).is_relative_to(home)
    assert registry.aligner_conversions(os.environ).is_relative_to(home)
    assert registry.hub_cache(os.environ).is_relative_to(home)


def test_processes_that_a_test_starts_see_the_same_home(home: Path) -> None:
    show = [sys.executable, "-P", "-m", "daemon", "config", "show"]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert f'inbox = "{home}/Dropscribe/inbox"' in shown
