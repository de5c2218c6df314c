"""Where the configuration is looked for, and where this user's applications keep their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platformdirs import PlatformDirs

DIRECTORIES = PlatformDirs("dropscribe", appauthor=False)


def default_path(environment: Mapping[str, str]) -> Path:
    """The file that DROPSCRIBE_CONFIG names, else config.toml in the platform's place."""
    if named := environment.get("DROPSCRIBE_CONFIG"):
        return Path(named).expanduser()
    return usual_path()


def usual_path() -> Path:
    """The place where no file has to be: without one, every default is in force."""
    return DIRECTORIES.user_config_path / "config.toml"
