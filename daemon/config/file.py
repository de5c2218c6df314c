"""config.toml on disk: reading it with every problem named, writing it from scratch."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from daemon.config.location import usual_path
from daemon.config.settings import Config
from daemon.errors import UsageError
from daemon.files.atomic import write_atomically
from daemon.files.permissions import check_is_ours

# pydantic's kinds of problem, said for people. {…} are its context's values.
_MESSAGES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "model_type": "must be a table",
    "path_type": "must be a path in quotes",
    "string_too_short": "must not be empty",
    "string_type": "must be a text in quotes",
    "tuple_type": 'must be a list, such as ["one", "two"]',
}
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
        return Config.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        lines = dict.fromkeys(f"  {_problem(problem, text)}" for problem in problems)
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise UsageError("\n".join([f"{origin} has {count}:", *lines])) from error


def to_toml(config: Config) -> str:
    """Every key with its value; paths as written."""
    return tomli_w.dumps(config.model_dump(mode="json"))


def save(config: Config, path: Path) -> None:
    """Write `config` to `path` atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_toml(config).encode())


def suggestion(location: list[str]) -> str:
    """The key that was probably meant, among the ones valid at that place."""
    table: type[BaseModel] = Config
    for part in location[:-1]:
        annotation = table.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        table = annotation
    close = difflib.get_close_matches(location[-1], table.model_fields, n=1, cutoff=0.5)
    return f"; did you mean {'.'.join([*location[:-1], close[0]])}?" if close else ""


def _problem(problem: Mapping[str, Any] | Any, text: str) -> str:  # noqa: ANN401 - pydantic's own
    """One problem in a sentence, with its key and its line."""
    location = [part for part in problem["loc"] if isinstance(part, str)]
    key = ".".join(location)
    unknown = problem["type"] == "extra_forbidden"
    where = _place(text, location, of_key=unknown)
    if unknown:
        return f"{where}{key}: no such key{suggestion(location)}"
    known = _MESSAGES.get(problem["type"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if known is not None:
        message = known.format_map(problem.get("ctx", {}))
    if isinstance(problem["input"], str | int | float | bool):
        return f"{where}{key}: {message} (it is {problem['input']!r})"
    return f"{where}{key}: {message}" if known is not None else f"{where}{message}"


def line_of(text: str, location: list[str]) -> int:
    """The line in which `text` sets the key at that place, as a person wrote it; 0 if none does."""
    found = _written(text, location)
    return found[0] if found else 0


def _place(text: str, location: list[str], of_key: bool) -> str:
    """Line and column of the key at that place, or of its value, as an error begins with them."""
    found = _written(text, location)
    if found is None:
        return ""
    line, written = found
    column = written.end() if written.re is _KEY and not of_key else written.start(1)
    return f"line {line}, column {column + 1}: "


def _written(text: str, location: list[str]) -> tuple[int, re.Match[str]] | None:
    """The line that sets the key at that place, and where it holds the key or the table's name."""
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1].replace('"', "").replace(" ", "")
        key = _KEY.match(line)
        written = [*table.split("."), *key[1].replace('"', "").split(".")] if key else [table]
        if [part for part in written if part][: len(location)] == location:
            found = key or header
            return (number, found) if found else None
    return None
