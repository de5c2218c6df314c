"""config.toml on disk: where it is, reading it with every problem named, writing it."""

from __future__ import annotations

import difflib
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from daemon.config.settings import Config, Paths, data_home
from daemon.errors import UsageError
from daemon.files.atomic import write_atomically
from daemon.models.registry import DEMO


def default_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration is looked for: DROPSCRIBE_CONFIG, else the platform's place."""
    if named := environment.get("DROPSCRIBE_CONFIG"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return data_home().expanduser() / "config.toml"
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "dropscribe" / "config.toml"


def load(path: Path) -> Config:
    """Read `path`, or take every default where there is no such file.

    Raises UsageError with one line for each problem in the file.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the configuration {path}: {error}") from error
    try:
        return validated(tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def validated(data: Mapping[str, Any], origin: str = "the configuration") -> Config:
    """Raises UsageError with one line for each problem in `data`, found in `origin`."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{origin} has {_problems(error)}") from error


def for_demo(root: Path, backend: str) -> Config:
    """The demo models, and every folder under `root`."""
    folders = {name: str(root / name) for name in Paths.model_fields}
    return validated(
        {
            "paths": folders,
            "transcribe": {"model": DEMO, "backend": backend},
            "limits": {"min_free_mb": 200},
        }
    )


def to_toml(config: Config) -> str:
    """Every key with its value; paths as written."""
    return tomli_w.dumps(config.model_dump(mode="json"))


def save(config: Config, path: Path) -> None:
    """Write `config` to `path` atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_toml(config).encode())


def _problems(error: ValidationError) -> str:
    lines = [_problem(problem) for problem in error.errors(include_url=False)]
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{count}:", *(f"  {line}" for line in lines)])


def _problem(problem: Mapping[str, Any] | Any) -> str:  # noqa: ANN401 - pydantic's own TypedDict
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        return f"{key}: no such key{_suggestion(location)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message} (it is {problem['input']!r})" if _is_plain(problem) else message


def _is_plain(problem: Mapping[str, Any]) -> bool:
    return isinstance(problem["input"], str | int | float | bool)


def _suggestion(location: list[str]) -> str:
    """The key that was probably meant, among the ones valid at that place."""
    table: type[BaseModel] = Config
    for part in location[:-1]:
        annotation = table.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        table = annotation
    close = difflib.get_close_matches(location[-1], table.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {'.'.join([*location[:-1], close[0]])}?" if close else ""
