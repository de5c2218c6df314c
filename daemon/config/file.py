"""config.toml on disk: reading it with every problem named, writing it from scratch."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daemon.config.location import usual_path
from daemon.config.settings import Config
from daemon.config.table import Problem, Table, WrongValueError, as_json, kinds, read
from daemon.errors import UsageError
from daemon.files.permissions import check_is_ours

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")  # of a table
_KEY = re.compile(r"\s*([\w.\"-]+)\s*=\s*")


def load(path: Path) -> Config:
    """Read `path`; where the usual file is not there, every default holds.

    Raises UsageError with one line for each problem in the file, or if a named file is missing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if path == usual_path():
            return Config()
        raise UsageError(
            f"there is no configuration file {path}: check the name,"
            f" or write one with: dropscribe --config {path} config init"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read the configuration {path}: it is not UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from error
    check_is_ours(path, "the configuration")
    config = parsed(text, path)
    if config.notify.hook:
        check_is_ours(Path(config.notify.hook[0]), "the hook")
    return config


def parsed(text: str, path: Path) -> Config:
    """The configuration in `text`, the content of `path`. Raises UsageError as `load` does."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    return validated(data, str(path), text)


def validated(data: Mapping[str, Any], origin: str = "the configuration", text: str = "") -> Config:
    """Raises UsageError with one line for each problem in `data`, found in `origin`.

    With `text`, the file's content, each problem has the line and the column that it stands in.
    """
    try:
        return read(Config, data)
    except WrongValueError as error:
        lines = dict.fromkeys(f"  {_problem(problem, text)}" for problem in error.problems)
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise UsageError("\n".join([f"{origin} has {count}:", *lines])) from error


def to_toml(config: Config) -> str:
    """Every key with its value; paths as written."""
    import tomli_w  # noqa: PLC0415 - most who read a configuration write none

    return tomli_w.dumps(as_json(config))


def save(config: Config, path: Path) -> None:
    """Write `config` to `path` atomically, readable by its owner only."""
    from daemon.files.atomic import write_atomically  # noqa: PLC0415 - as above

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_toml(config).encode())


def suggestion(location: Sequence[str]) -> str:
    """The key that was probably meant, among the ones valid at that place."""
    import difflib  # noqa: PLC0415 - only for a mistake

    table: type[Table] = Config
    for part in location[:-1]:
        table = kinds(table)[part]
    close = difflib.get_close_matches(location[-1], kinds(table), n=1, cutoff=0.5)
    return f"; did you mean {'.'.join([*location[:-1], close[0]])}?" if close else ""


def _problem(problem: Problem, text: str) -> str:
    """One problem in a sentence, with its key and its line."""
    key = ".".join(problem.place)
    where = _place(text, problem.place, of_key=problem.is_unknown)
    if problem.is_unknown:
        return f"{where}{key}: {problem.message}{suggestion(problem.place)}"
    if problem.value is None:  # of several keys, which the message names
        return f"{where}{problem.message}"
    if isinstance(problem.value, str | int | float | bool):
        return f"{where}{key}: {problem.message} (it is {problem.value!r})"
    return f"{where}{key}: {problem.message}"


def line_of(text: str, location: Sequence[str]) -> int:
    """The line in which `text` sets the key at that place, as a person wrote it; 0 if none does."""
    found = _written(text, location)
    return found[0] if found else 0


def _place(text: str, location: Sequence[str], of_key: bool) -> str:
    """Line and column of the key at that place, or of its value, as an error begins with them."""
    found = _written(text, location)
    if found is None:
        return ""
    line, written = found
    column = written.end() if written.re is _KEY and not of_key else written.start(1)
    return f"line {line}, column {column + 1}: "


def _written(text: str, location: Sequence[str]) -> tuple[int, re.Match[str]] | None:
    """The line that sets the key at that place, and where it holds the key or the table's name."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1].replace('"', "").replace(" ", "")
        key = _KEY.match(line)
        written = [*table.split("."), *key[1].replace('"', "").split(".")] if key else [table]
        if [part for part in written if part][: len(location)] == list(location):
            found = key or header
            return (number, found) if found else None
    return None
