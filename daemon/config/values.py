"""What a single value of the configuration may be: types, and checks with a sentence each."""

from __future__ import annotations

import grp
import os
import re
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated

from daemon.domain.languages import code_of


@dataclass(frozen=True, slots=True)
class Between:
    """A check for numbers: both bounds are allowed."""

    least: int
    most: int

    def __call__(self, number: float) -> float:
        if number < self.least:
            raise ValueError(f"must be at least {self.least}")
        if number > self.most:
            raise ValueError(f"must be at most {self.most}")
        return number


@dataclass(frozen=True, slots=True)
class Above:
    """A check for numbers: the upper bound is allowed, the lower is not."""

    bound: int
    most: int

    def __call__(self, number: float) -> float:
        if number <= self.bound:
            raise ValueError(f"must be more than {self.bound}")
        if number > self.most:
            raise ValueError(f"must be at most {self.most}")
        return number


def absolute(path: Path) -> Path:
    expanded = path.expanduser()
    if not expanded.is_absolute():
        raise ValueError(f"{path} must be an absolute path, or begin with ~")
    return expanded


def absolute_file(text: str) -> str:
    return text and str(absolute(Path(text)))


Folder = Annotated[Path, absolute]
OptionalFile = Annotated[str, absolute_file]
DAY = 86_400  # seconds
Seconds = Annotated[float, Between(0, DAY)]
SomeSeconds = Annotated[float, Above(0, DAY)]
Megabytes = Annotated[int, Between(0, 1_000_000_000)]
NAME_FIELDS = ("stem", "date", "language")


def not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def secret(text: str) -> str:
    if len(text) > 1_000:
        raise ValueError("must have at most 1000 characters")
    return text


def name_of_results(name: str) -> str:
    """The fields' values are made harmless when they are known; here, the template itself."""
    fields = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
    try:
        parts = list(Formatter().parse(name))
    except ValueError as error:
        raise ValueError(f"a brace is missing: a name may hold {fields}") from error
    for text, field, layout, conversion in parts:
        if not text.isprintable() or "/" in text or "\\" in text:
            raise ValueError("a name may not hold slashes, backslashes or control characters")
        if field is not None and (field not in NAME_FIELDS or layout or conversion):
            raise ValueError(f"a name may hold {fields}, and nothing else in braces")
    if not name.strip(" ."):
        raise ValueError("a name may not be empty")
    return name


def language(text: str) -> str:
    """Its code, for a code, a name or a locale."""
    code = code_of(text)
    if code is None:
        raise ValueError("is no language that Whisper knows: see dropscribe languages")
    return code


def language_or_none(text: str) -> str:
    return language(text) if text else ""


def name(text: str) -> str:
    if not text.isprintable() or len(text) > 100:
        raise ValueError("must be a name of at most 100 printable characters")
    return text.strip()


def file_mode(text: str) -> str:
    if text and not re.fullmatch(r"0?[4-7][0-7][0-7]", text):
        raise ValueError('must be a file mode such as "0640"')
    return text


def group(name: str) -> str:
    """A group that this user may give files to."""
    if name:
        try:
            number = grp.getgrnam(name).gr_gid
        except KeyError:
            raise ValueError("is no group of this machine") from None
        if os.geteuid() and number not in {os.getgid(), *os.getgroups()}:
            raise ValueError("is a group that you are not in")
    return name


def hours(text: str) -> str:
    if text and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError('must be two times of the day, such as "22:00-07:00"')
    return text


def webhook(text: str) -> str:
    if text and not re.fullmatch(r"https?://\S+", text):
        raise ValueError("must begin with http:// or https://")
    return text


LanguageCode = Annotated[str, language]
OptionalLanguageCode = Annotated[str, language_or_none]


def host(text: str) -> str:
    """What ssh takes for a machine, and no option of ssh's."""
    if not re.fullmatch(r"(ssh://)?([\w.-]+@)?[A-Za-z0-9_][\w.-]*(:\d{1,5})?", text):
        raise ValueError(
            'must be a machine\'s name as ssh knows it, such as "mac2.local" or "ssh://me@mac2:22"'
        )
    return text


def scheduler(text: str) -> str:
    """A Dask scheduler: with TLS, or on this machine. What is in the clear leaves no machine."""
    if text and not re.fullmatch(
        r"tls://(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}|tcp://(127\.[\d.]+|localhost|\[::1\]):\d{1,5}",
        text,
    ):
        raise ValueError(
            'must be "tls://HOST:PORT", or "tcp://127.0.0.1:PORT" for one on this machine'
        )
    return text
