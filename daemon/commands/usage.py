"""What is said about a command line that is wrong: the option, and what it takes."""

from __future__ import annotations

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """A finite number of seconds, 0 or more."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail("", param, ctx)
        return number


def problem(error: click.UsageError) -> str:
    """How the command is called, and what is wrong, for a person."""
    if error.message.startswith("Usage:"):  # no command at all: the help, which click has written
        return error.message
    lines = [f"dropscribe: {_what_is_wrong(error)}"]
    if error.ctx is not None:
        lines.insert(0, error.ctx.get_usage())
        lines.append(f"See: {error.ctx.command_path} --help")
    return "\n".join(lines)


def _what_is_wrong(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption():
            near = " or ".join(error.possibilities or ())
            return f"{error.option_name}: no such option{near and f'; did you mean {near}?'}"
        case click.MissingParameter() if error.param is not None:
            return f"{_name(error.param)} is missing"
        case click.BadOptionUsage() if error.message.endswith("requires an argument."):
            return f"{error.option_name} needs a value"
        case click.BadParameter() if error.param is not None:
            if wanted := _wanted(error.param.type):
                return f"{_name(error.param)}: {wanted}"
            said = error.message[:1].lower() + error.message[1:].rstrip(".")  # it names the file
            is_option = isinstance(error.param, click.Option)
            return f"{_name(error.param)}: {said}" if is_option else said
    return error.message


def _name(parameter: click.Parameter) -> str:
    """As it is written first in the help: -n, or what stands for an argument."""
    if isinstance(parameter, click.Option):
        return parameter.opts[0]
    return parameter.human_readable_name.removesuffix("...").strip("[]")


def _wanted(kind: click.ParamType[Any]) -> str:
    """What an option of that type takes; empty for types whose own words say it."""
    match kind:
        case click.IntRange():
            return f"must be a whole number {_range(kind)}"
        case click.FloatRange():
            return f"must be a number {_range(kind)}"
        case click.Choice():
            *others, last = kind.choices
            return f"must be {', '.join(others)} or {last}"
        case click.types.BoolParamType():
            return "must be true or false"
        case _:
            return ""


def _range(kind: click.IntRange | click.FloatRange) -> str:
    return f"of at least {kind.min}" if kind.max is None else f"from {kind.min} to {kind.max}"
