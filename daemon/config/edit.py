"""Changing config.toml as a person would: a key at a time, with every comment kept."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.config.table import as_json, is_list, kinds
from daemon.errors import UsageError
from daemon.files.atomic import write_atomically

_EXAMPLE = "config.toml.example"


def example() -> str:
    """The commented file that shows every key with its default."""
    package = Path(__file__).parent / _EXAMPLE  # where the wheel has it
    checkout = Path(__file__).parents[2] / _EXAMPLE
    return (package if package.exists() else checkout).read_text(encoding="utf-8")


def write(text: str, path: Path) -> None:
    """Atomically, readable by its owner only. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def origins(config: Config, path: Path) -> Iterator[tuple[str, str, int]]:
    """Every key with its value as TOML, and the line of the file that sets it; 0: no line does."""
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    for table, values in as_json(config).items():
        for key, value in values.items():
            shown = tomlkit.item(value).as_string()
            yield f"{table}.{key}", shown, config_file.line_of(text, [table, key])


def change(path: Path, key: str, value: str) -> None:
    """Set `key` (TABLE.KEY) in the file, made if it is missing. Raises UsageError."""
    table, _, name = key.partition(".")
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    config_file.parsed(text, path)  # raises for a file that is broken already
    document = tomlkit.parse(text)
    check_key(table, name)
    if not name:
        raise UsageError(f"{table} is a table: name a key of it; dropscribe config get {table}")
    wants_list = is_list(kinds(kinds(Config)[table])[name])
    document.setdefault(table, tomlkit.table())[name] = _value(value, wants_list)
    changed = tomlkit.dumps(document)
    config_file.parsed(changed, path)
    write(changed, path)


def check_key(table: str, name: str) -> None:
    """Raises UsageError for a table or a key that is none; without a name, it is the table."""
    if table not in kinds(Config):
        raise UsageError(
            f"{table or name}: no such table{config_file.suggestion([table])};"
            " `dropscribe config show` lists them"
        )
    if name and name not in kinds(kinds(Config)[table]):
        raise UsageError(f"{table}.{name}: no such key{config_file.suggestion([table, name])}")


def _value(text: str, wanted_list: bool) -> Any:  # noqa: ANN401 - any TOML value
    """What `text` means: a TOML value, else a word; "a,b" is a list where a list is wanted."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if wanted_list and not isinstance(value, list):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return value
