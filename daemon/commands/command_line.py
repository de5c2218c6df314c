"""What every command shares: it is imported when it is called, and takes --config anywhere."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

Examples = Sequence[tuple[str, str]]  # a command line, and what it does

_CONFIG = "dropscribe.config"  # where a group leaves the file for the command that follows
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _config_option(of_group: bool) -> click.Option:
    return click.Option(
        ["--config", "config_path"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=_remember if of_group else _or_the_one_before,
        expose_value=not of_group,
        help="The configuration file; it may stand before or after the command.",
    )


def _remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """A group's own: it is for the command that follows."""
    if value is not None:
        context.meta[_CONFIG] = value


def _or_the_one_before(
    context: click.Context, parameter: click.Parameter, value: Path | None
) -> Path:
    """The file named here, else the one named before the command, else the usual place."""
    from daemon.config.location import default_path  # noqa: PLC0415 - `--help` needs no place

    return value or context.meta.get(_CONFIG) or default_path(os.environ)


def _write_examples(examples: Examples, formatter: click.HelpFormatter) -> None:
    if examples:
        with formatter.section("Examples"):
            formatter.write_dl(examples, col_max=58)


class Command(click.Command):
    """A verb: its function gets `config_path` beside its own options, and returns an exit code."""

    def __init__(self, *arguments: Any, examples: Examples = (), **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self.context_settings = dict(_SETTINGS)
        self.examples = examples
        self.params.append(_config_option(of_group=False))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(self.examples, formatter)


class Group(click.Group):
    """A verb with verbs of its own, such as `config`."""

    command_class = Command

    def __init__(self, *arguments: Any, examples: Examples = (), **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self.context_settings = dict(_SETTINGS)
        self.examples = examples
        self.params.append(_config_option(of_group=True))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(self.examples, formatter)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if self.get_command(context, name) is None and not name.startswith("-"):
            import difflib  # noqa: PLC0415 - only for a mistake

            near = difflib.get_close_matches(name, self.list_commands(context), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"No such command '{name}'.{hint}", context)
        return super().resolve_command(context, arguments)


class LazyGroup(Group):
    """A group whose commands are imported when they are called.

    `sections` maps a heading to its commands, each with one line of help; `places` says where a
    command is that does not bear its module's name, as "module:attribute".
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - click's own
        sections: Mapping[str, Mapping[str, str]],
        places: Mapping[str, str],
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*arguments, **options)
        self.sections = sections
        self._places = places

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for commands in self.sections.values() for name in commands]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        module, _, attribute = self._places.get(name, f"{name}:{name}").partition(":")
        found = getattr(importlib.import_module(f"daemon.commands.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()), col_max=14)


def command(
    name: str | None = None, examples: Examples = ()
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function the command of its name; its docstring is the help."""
    return click.command(name, cls=Command, examples=examples)
