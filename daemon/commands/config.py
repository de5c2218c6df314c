"""`dropscribe config init | show | check | set`."""

from __future__ import annotations

import argparse
import tomllib

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import OK, UsageError


def _arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(required=True, metavar="init|show|check|set")
    init = acts.add_parser("init", help="write a configuration file with every default")
    init.set_defaults(act=_init)
    show = acts.add_parser("show", help="print the configuration in force")
    show.set_defaults(act=_show)
    check = acts.add_parser("check", help="name every problem in the configuration file")
    check.set_defaults(act=_check)
    put = acts.add_parser("set", help="change one key, for example: set transcribe.model small")
    put.add_argument("key", metavar="TABLE.KEY")
    put.add_argument("value", help="a TOML value; words need no quotes")
    put.set_defaults(act=_set)


def _run(arguments: argparse.Namespace) -> int:
    return int(arguments.act(arguments))


def _init(arguments: argparse.Namespace) -> int:
    if arguments.config.exists():
        raise UsageError(f"{arguments.config} exists already; edit it, or use `config set`")
    config_file.save(Config(), arguments.config)
    print(f"wrote {arguments.config}")
    return OK


def _show(arguments: argparse.Namespace) -> int:
    origin = arguments.config if arguments.config.exists() else "all defaults: there is no file"
    print(f"# {origin}\n{config_file.to_toml(config_file.load(arguments.config))}", end="")
    return OK


def _check(arguments: argparse.Namespace) -> int:
    config_file.load(arguments.config)
    if arguments.config.exists():
        print(f"{arguments.config}: no problems")
    else:
        print(f"{arguments.config} does not exist: every default is in force")
    return OK


def _set(arguments: argparse.Namespace) -> int:
    data = config_file.load(arguments.config).model_dump(mode="json")
    table, _, key = arguments.key.partition(".")
    if not isinstance(data.get(table), dict):
        raise UsageError(f"{arguments.key}: no such key; `dropscribe config show` lists them")
    data[table][key] = _value(arguments.value)
    config_file.save(config_file.validated(data), arguments.config)
    print(f"{arguments.key} = {arguments.value}")
    return OK


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


VERB = Verb("config", "write, show, check or change the configuration", _arguments, _run)
