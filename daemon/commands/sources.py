"""What `transcribe` is given, as files: names, folders, patterns, standard input, web addresses."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from daemon.domain.names import printable
from daemon.errors import DropscribeError
from daemon.inbox.scan import look_into

_STDIN = "stdin"  # the name of what comes from there


def recordings(
    given: Sequence[str], extensions: Collection[str], temporary: Path
) -> tuple[list[Path], list[str]]:
    """The files that `given` means, each once, and a line for whatever cannot be had.

    `-` is standard input and a web address is fetched by yt-dlp, both into `temporary`.
    """
    found: dict[Path, None] = {}
    problems: list[str] = []
    for word in given:
        try:
            found |= dict.fromkeys(_files(word, extensions, temporary))
        except DropscribeError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{printable(word)}: {error.strerror}")
    return list(found), problems


def _files(word: str, extensions: Collection[str], temporary: Path) -> Iterator[Path]:
    path = Path(word).expanduser()
    if word == "-":
        yield _from_pipe(sys.stdin.buffer, temporary / _STDIN)
    elif word.startswith(("http://", "https://")):
        yield from _from_web(word, temporary)
    elif path.is_dir():
        yield from _from_folder(path, extensions)
    elif path.exists() and not path.resolve().exists():
        with path.open("rb") as pipe:  # one without a name: /dev/stdin, or a shell's <(command)
            yield _from_pipe(pipe, temporary / path.name)
    elif path.exists():
        yield path.resolve()  # named by hand: a symbolic link is meant, as it is not in the inbox
    elif os.path.lexists(path):
        raise DropscribeError(f"{printable(word)}: a link to a file that is not there")
    elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 - also absolute
        for match in matches:
            yield from _files(match, extensions, temporary)
    else:
        raise DropscribeError(f"{printable(word)}: no such file")


def _from_pipe(pipe: BinaryIO, target: Path) -> Path:
    with target.open("xb") as file:
        shutil.copyfileobj(pipe, file)
    return target


def _from_folder(folder: Path, extensions: Collection[str]) -> Iterator[Path]:
    """The recordings in it and in its sub-folders, in order of their names."""
    found = False
    for root, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in look_into(Path(root), extensions).recordings:
            if (path := Path(root) / name).is_file():
                found = True
                yield path.resolve()
    if not found:
        raise DropscribeError(f"{printable(str(folder))}: no recordings in this folder")


def _from_web(address: str, temporary: Path) -> Iterator[Path]:
    """What yt-dlp makes of it: the best sound, under the title of the page."""
    program = shutil.which("yt-dlp")
    if program is None:
        raise DropscribeError(f"{address}: yt-dlp is needed for this: pip install yt-dlp")
    folder = temporary / "web"
    before = set(folder.glob("*"))
    template = str(folder / "%(title).120B.%(ext)s")
    command = [program, "--quiet", "--no-playlist", "-f", "bestaudio/best", "-o", template]
    ended = subprocess.run([*command, "--", address], check=False)
    files = sorted(set(folder.glob("*")) - before)
    if ended.returncode != 0 or not files:
        raise DropscribeError(f"{address}: yt-dlp could not fetch it")
    yield from files
