"""What every table of the configuration is: frozen, checked key by key, all problems named at once.

A key's type says what TOML may hold; functions beside it, in Annotated, check the value or put it
into its usual form, and raise ValueError with a sentence for a person.

msgspec and not pydantic: `dropscribe status` reads the configuration, and pydantic's import alone
takes longer than all the rest of that command.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T", bound="Table")

_WORDS = {"yes": True, "on": True, "no": False, "off": False}  # beside "true" and "false"
_EXPECTED = {
    bool: "must be true or false",
    int: "must be a whole number",
    float: "must be a number",
    str: "must be a text in quotes",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, at which place below the table that was read."""

    message: str
    place: tuple[str, ...] = ()
    value: object = None
    is_unknown: bool = False  # there is no such key

    def below(self, key: str) -> Problem:
        return replace(self, place=(key, *self.place))


class WrongValueError(ValueError):
    """Has every problem of a value, or of all that a table holds."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class Table(msgspec.Struct, frozen=True):
    """Raises WrongValueError when it is made of values that are not right."""

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        for key, kind in kinds(type(self)).items():
            try:
                value = _read(kind, getattr(self, key))
            except WrongValueError as error:
                problems += [problem.below(key) for problem in error.problems]
            else:
                msgspec.structs.force_setattr(self, key, value)
        if problems:
            raise WrongValueError(*problems)
        try:
            self.check()
        except ValueError as error:
            raise WrongValueError(Problem(str(error))) from None

    def check(self) -> None:
        """What several keys have to keep together. Raises ValueError."""


def read(kind: type[T], data: object) -> T:
    """The table in `data`, a mapping as TOML or JSON has it. Raises WrongValueError."""
    if isinstance(data, kind):
        return data
    if not isinstance(data, Mapping):
        raise WrongValueError(Problem("must be a table", value=data))
    known = kinds(kind)
    unknown = [
        Problem("no such key", (str(key),), is_unknown=True) for key in data if key not in known
    ]
    try:
        table = kind(**{key: value for key, value in data.items() if key in known})
    except WrongValueError as error:
        raise WrongValueError(*error.problems, *unknown) from None
    if unknown:
        raise WrongValueError(*unknown)
    return table


def as_json(table: Table) -> dict[str, Any]:
    """Its keys with their values, as JSON and TOML have them: paths as text, tuples as lists."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(table, enc_hook=str))
    return data


@cache
def kinds(table: type[Table]) -> dict[str, Any]:
    """Its keys with their types, checks included."""
    return get_type_hints(table, include_extras=True)


def is_list(kind: Any) -> bool:  # noqa: ANN401 - a type
    """Whether a key of this type takes several values."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(bare) is tuple


def _read(kind: Any, value: object) -> Any:  # noqa: ANN401 - a value of `kind`
    """`value` as a key's type wants it. Raises WrongValueError."""
    if get_origin(kind) is Annotated:
        bare, *checks = get_args(kind)
        return _checked(_read(bare, value), value, checks)
    if isinstance(kind, type) and issubclass(kind, Table):
        return read(kind, value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise WrongValueError(Problem('must be a list, such as ["one", "two"]', value=value))
        return tuple(_all(get_args(kind)[0], dict(enumerate(value))).values())
    if get_origin(kind) is dict:
        if not isinstance(value, Mapping):
            raise WrongValueError(Problem("must be a table", value=value))
        return _all(get_args(kind)[1], value)
    return _scalar(kind, value)


def _all(kind: Any, values: Mapping[Any, object]) -> dict[Any, Any]:  # noqa: ANN401
    """Each of several values under its key; a number in a list is no place that TOML names."""
    found, problems = {}, []
    for key, value in values.items():
        try:
            found[key] = _read(kind, value)
        except WrongValueError as error:
            named = isinstance(key, str)
            problems += [p.below(key) if named else p for p in error.problems]
    if problems:
        raise WrongValueError(*problems)
    return found


def _checked(read: Any, given: object, checks: list[Callable[[Any], Any]]) -> Any:  # noqa: ANN401
    for check in checks:
        try:
            read = check(read)
        except ValueError as error:
            raise WrongValueError(Problem(str(error), value=given)) from None
    return read


def _scalar(kind: Any, value: object) -> Any:  # noqa: ANN401
    if kind is Path:
        if isinstance(value, str | Path):
            return Path(value)
        raise WrongValueError(Problem("must be a path in quotes", value=value))
    if kind is bool and isinstance(value, str):
        value = _WORDS.get(value.lower(), value)
    try:
        read = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        choice = get_origin(kind) is Literal
        message = f"must be {_listed(get_args(kind))}" if choice else _EXPECTED[kind]
        raise WrongValueError(Problem(message, value=value)) from None
    if kind is float and not math.isfinite(read):
        raise WrongValueError(Problem("must be a finite number", value=value))
    return read


def _listed(choices: tuple[object, ...]) -> str:
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}"
