"""What a single value of the configuration may be: types, and checks with a sentence each."""

from __future__ import annotations

import grp
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from daemon.domain.languages import code_of


def absolute(path: Path) -> Path:
    expanded = path.expanduser()
    if not expanded.is_absolute():
        raise ValueError(f"{path} must be an absolute path, or begin with ~")
    return expanded


Folder = Annotated[Path, AfterValidator(absolute)]
DAY = 86_400.0
Seconds = Annotated[float, Field(ge=0, le=DAY)]
SomeSeconds = Annotated[float, Field(gt=0, le=DAY)]
Megabytes = Annotated[int, Field(ge=0, le=1_000_000_000)]


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


LanguageCode = Annotated[str, AfterValidator(language)]
OptionalLanguageCode = Annotated[str, AfterValidator(language_or_none)]


def host(text: str) -> str:
    """What ssh takes for a machine, and no option of ssh's."""
    if not re.fullmatch(r"(ssh://)?([\w.-]+@)?[A-Za-z0-9_][\w.-]*(:\d{1,5})?", text):
        raise ValueError(
            'must be a machine\'s name as ssh knows it, such as "mac2.local" or "ssh://me@mac2:22"'
        )
    return text
