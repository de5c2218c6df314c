"""aligned.jsonl: what alignment children tried and finished, so that the next one learns from it.

    {"child": NONCE}                 a child begins its work
    {"begin": [ID, …]}               it begins these segments together
    {"id": ID, "words": […], "reason": S}   a segment is finished; a reason if it has no words

A segment that was begun alone and never finished has killed its child: the next child skips it.
Segments that were begun together and not finished are suspects: the next child takes them last,
one by one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from daemon.domain.transcript import Word
from daemon.domain.validation import Count, Line, from_json, to_json

NAME = "aligned.jsonl"
_HOPELESS = 3  # killers, without more segments finished than killed, that show a broken aligner


@dataclass(frozen=True, slots=True)
class _Finished:
    """A segment's line; `reason` says why it has no words."""

    id: Count
    words: tuple[Word, ...]
    reason: Line


@dataclass(slots=True)
class AlignmentHistory:
    """What earlier children left behind. `finished` holds (words, reason) by segment id."""

    finished: dict[int, tuple[tuple[Word, ...], str]] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    crashing: set[int] = field(default_factory=set)
    useful: int = 0  # children that finished a segment, or found out which one kills

    @property
    def suspects(self) -> set[int]:
        return self.begun - self.finished.keys() - self.crashing

    @property
    def words(self) -> dict[int, tuple[Word, ...]]:
        return {id_: words for id_, (words, _) in self.finished.items() if words}

    def allowed(self, attempts: int) -> int:
        """How many failed children the job may cost: more while each one brings it further."""
        hopeless = len(self.crashing) > max(_HOPELESS, len(self.finished))
        return attempts if hopeless else attempts + self.useful


def read(folder: Path) -> AlignmentHistory:
    """Replay the log; a line that a dying process left half-written is no line."""
    tried = AlignmentHistory()
    for block in _children(folder / NAME):
        _replay(tried, block)
    return tried


def _children(path: Path) -> Iterator[list[Mapping[str, Any]]]:
    """The log's lines, child by child."""
    block: list[Mapping[str, Any]] = []
    for line in _lines(path):
        if "child" in line:
            yield block
            block = []
        else:
            block.append(line)
    yield block


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with contextlib.suppress(FileNotFoundError):
        for raw in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(raw)
                if isinstance(line, dict):
                    yield line


def _replay(tried: AlignmentHistory, block: Sequence[Mapping[str, Any]]) -> None:
    finished_before, killers_before = len(tried.finished), len(tried.crashing)
    last: list[int] = []
    for line in block:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if "begin" in line:
                last = [int(id_) for id_ in line["begin"]]
                tried.begun |= set(last)
            else:
                segment = from_json(_Finished, json.dumps(line))
                tried.finished[segment.id] = (segment.words, segment.reason)
    if len(last) == 1:
        tried.crashing |= set(last) - tried.finished.keys()
    tried.useful += len(tried.finished) > finished_before or len(tried.crashing) > killers_before


class AlignedLog:
    """Appends to the log; every line reaches the file before the risk that it announces."""

    def __init__(self, file: TextIO, nonce: str) -> None:
        self._file = file
        self._write({"child": nonce})

    def begin(self, ids: Sequence[int]) -> None:
        self._write({"begin": list(ids)})

    def finish(self, id_: int, words: Sequence[Word], reason: str) -> None:
        self._write(to_json(_Finished(id_, tuple(words), reason)))

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
