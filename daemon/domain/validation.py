"""JSON from another process becomes frozen values here, or is refused: types, bounds, UTF-8.

msgspec and not pydantic: a stage's process lives for one file, and pydantic's import alone costs
more than all the rest of its start.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

T = TypeVar("T")

# JSON has no NaN and no infinity: msgspec refuses them, and numbers that no float can hold.
Finite = float
Seconds = Annotated[float, Meta(ge=0, le=1e7)]  # 1e7 s are 115 days
Time = Annotated[float, Meta(ge=-1e7, le=1e7)]  # a model's
Count = Annotated[int, Meta(ge=0, le=2**62)]
Line = Annotated[str, Meta(max_length=4_000)]  # a name, a sentence for a person
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=1_000_000)]


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401 - a class
    return msgspec.json.Decoder(kind)


def from_json(kind: type[T], raw: str | bytes) -> T:
    """`raw` as a value of `kind`, a dataclass with annotated fields; further fields are ignored.

    Raises ValueError, which says what is wrong where, and quotes nothing: it may go to a log.
    """
    try:
        value: T = _decoder(cast(Hashable, kind)).decode(raw)
    except msgspec.ValidationError as error:
        raise ValueError(_problem(str(error))) from None
    except (msgspec.MsgspecError, UnicodeError):
        raise ValueError("it is no JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def to_json(value: object) -> dict[str, Any]:
    """What `from_json` reads again, as plain dictionaries, lists, numbers and text."""
    data: dict[str, Any] = msgspec.to_builtins(value, str_keys=True, enc_hook=_plain)
    return data


def _plain(value: object) -> object:
    """numpy's numbers are Python's, but for their type."""
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in an artefact")


def _problem(message: str) -> str:
    """msgspec's words, without the value that it quotes where one of several words is wanted."""
    if not message.startswith("Invalid enum value"):
        return message
    _, at, place = message.rpartition(" - at ")
    return f"Invalid value{at}{place}"
