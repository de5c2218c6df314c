"""A question that only a machine can answer, its verdict, and what was found."""

from __future__ import annotations

import errno
import getpass
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
Found = dict[str, Any]


class Verdict(StrEnum):
    PROVED = "proved"
    REFUTED = "refuted"
    COULD_NOT = "could not"


class CouldNotError(Exception):
    """This machine cannot answer; the text says why, in words that may be pasted."""


@dataclass(frozen=True, slots=True)
class Item:
    """`claim` is what the rest of the program assumes; `depends` the code that does."""

    name: str
    claim: str
    depends: str
    verdict: Verdict
    reason: str = ""
    found: Found = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """An item before it is settled; `ask` tells whether the claim holds, and what was found."""

    name: str
    claim: str
    depends: str
    ask: Callable[[], tuple[bool, Found]]

    def settle(self) -> Item:
        """An error is an answer, too, told by its kind alone, since its text may name a path."""
        try:
            holds, found = self.ask()
        except CouldNotError as error:
            return self._could_not(str(error))
        except OSError as error:
            number = errno.errorcode.get(error.errno or 0, type(error).__name__)
            return self._could_not(f"the system answered {number}")
        except Exception as error:
            return self._could_not(f"{type(error).__name__} was raised")
        verdict = Verdict.PROVED if holds else Verdict.REFUTED
        return Item(self.name, self.claim, self.depends, verdict, "", found)

    def _could_not(self, reason: str) -> Item:
        return Item(self.name, self.claim, self.depends, Verdict.COULD_NOT, reason)


def paste_safe(value: Any, private: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
    """`value` without the user's home, name and machine, should one have got into a text."""
    hidden = _private() if private is None else private
    if isinstance(value, dict):
        return {key: paste_safe(one, hidden) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [paste_safe(one, hidden) for one in value]
    if isinstance(value, str):
        for secret, shown in hidden.items():
            value = value.replace(secret, shown)
    return value


def _private() -> dict[str, str]:
    home = Path.home()
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = home.name
    names = {str(home): "~", socket.gethostname(): "HOST", user: "USER"}
    return {name: shown for name, shown in names.items() if len(name) > 3}
