"""JSON from another process becomes frozen values here, or is refused: types, bounds, UTF-8."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

T = TypeVar("T")

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]  # 1e7 s are 115 days
Time = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]  # a model's
Count = Annotated[int, Field(ge=0, le=2**62)]
Line = Annotated[str, Field(max_length=4_000)]  # a name, a sentence for a person
Text = Annotated[str, Field(max_length=1_000_000)]


_MENTIONED = 3  # problems in a message


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # making one takes milliseconds


def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a class, or a union of classes
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def from_json(kind: type[T], raw: str | bytes) -> T:
    """`raw` as a value of `kind`, a dataclass with annotated fields; further fields are ignored.

    Raises ValueError, which says what is wrong where, and quotes nothing: it may go to a log.
    """
    try:
        value: T = _adapter(kind).validate_json(raw, strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems]
        raise ValueError("; ".join(lines[:_MENTIONED]).lstrip(": ")) from None
    return value


def to_json(value: object) -> dict[str, Any]:
    """What `from_json` reads again, as plain dictionaries, lists, numbers and text."""
    data: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")
    return data
