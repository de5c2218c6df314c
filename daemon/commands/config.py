"""`dropscribe config init | show | get | check | set`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import tomli_w

from daemon.commands.cancel import ring
from daemon.commands.command_line import Group
from daemon.commands.json_output import print_object
from daemon.config import edit
from daemon.config import file as config_file
from daemon.config import table as config_table
from daemon.config.location import usual_path
from daemon.errors import FAILED, OK, UsageError
from daemon.files import lock
from daemon.service.checks import check_settings


@click.group(
    cls=Group,
    examples=[
        ("dropscribe config set transcribe.model small", "change one key"),
        ("dropscribe config set output.formats srt,vtt", "a list"),
        ("dropscribe config get output.formats", "see one key"),
    ],
)
def config() -> None:
    """Write, show, check or change the configuration. Nothing in it needs to be changed."""


@config.command()
def init(config_path: Path) -> int:
    """Write a configuration file that explains every key and holds its default."""
    if config_path.exists():
        raise UsageError(f"{config_path} exists already; edit it, or use `config set`")
    edit.write(edit.example(), config_path)
    print(f"wrote {config_path}")
    return OK


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--origin", is_flag=True, help="Say of each key whether the file sets it.")
def show(config_path: Path, as_json: bool, origin: bool) -> int:
    """Print the configuration in force."""
    loaded = config_file.load(config_path)
    if origin:
        for key, value, line in edit.origins(loaded, config_path):
            where = f"{config_path}, line {line}" if line else "default"
            print(f"{key} = {value}  # {where}")
        return OK
    if as_json:
        print_object(config_table.as_json(loaded))
        return OK
    source = config_path if config_path.exists() else "all defaults: there is no file"
    print(f"# {source}\n{config_file.to_toml(loaded)}", end="")
    return OK


@config.command()
@click.argument("key", metavar="TABLE[.KEY]")
def get(config_path: Path, key: str) -> int:
    """Print the value of one key, a list with a line for each of its values; or a whole table."""
    values = config_table.as_json(config_file.load(config_path))
    table, _, name = key.partition(".")
    edit.check_key(table, name)
    if not name:
        print(tomli_w.dumps(values[table]), end="")
        return OK
    value = values[table][name]
    for line in value if isinstance(value, list) else [value]:
        print(line if isinstance(line, str) else json.dumps(line))
    return OK


@config.command()
def check(config_path: Path) -> int:
    """Name everything in the configuration that `run` would refuse or wait for.

    Ends with 2 if the file is wrong, with 1 if this machine lacks something that it names.
    """
    loaded = config_file.load(config_path)
    problems = [finding for finding in check_settings(loaded) if not finding.well]
    for problem in problems:
        print(f"{problem.topic}: {problem.text}\n  → {problem.remedy}")
    if problems:
        return FAILED
    if config_path.exists():
        print(f"{config_path}: no problems")
    else:
        print(f"{config_path} does not exist: every default is in force")
    return OK


@config.command(name="set")
@click.argument("key", metavar="TABLE.KEY")
@click.argument("value")
def set_(config_path: Path, key: str, value: str) -> int:
    """Change one key; the rest of the file, comments included, stays as it is.

    VALUE is a word, a list such as srt,vtt, or any TOML value.
    """
    if not config_path.exists() and config_path != usual_path():
        config_file.load(config_path)  # raises: a file that was named has to be there
    edit.change(config_path, key, value)
    print(f"{key} = {value}")
    paths = config_file.load(config_path).paths
    if lock.is_held(paths.state):
        ring(paths.inbox)
        print("The running daemon takes it up; its log says what changed.")
    return OK
