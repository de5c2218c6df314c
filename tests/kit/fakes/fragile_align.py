"""The real ALIGN stage around a model that really segfaults at segments which say so.

The stand-ins, put in place of the modules that import torch, are the model and what loads it.
"""

from __future__ import annotations

import ctypes
import resource
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from daemon.domain.transcript import Segment, Word, WordSource


@dataclass(frozen=True)
class Aligned:
    id: int
    words: tuple[Word, ...]
    reason: str = ""


class Threads:
    def __init__(self, shared: int) -> None:
        self.shared = shared

    def take_all(self) -> None:
        """There is one."""


class FragileAligner:
    model = "fragile"
    batch_seconds = 30.0

    @classmethod
    def load(cls, *_: object) -> FragileAligner:
        return cls()

    def align(self, _: object, segments: Sequence[Segment]) -> list[Aligned]:
        if any("segfault" in segment.text for segment in segments):
            ctypes.string_at(0)
        return [Aligned(segment.id, _words(segment)) for segment in segments]


def _words(segment: Segment) -> tuple[Word, ...]:
    texts = segment.text.split()
    step = (segment.end - segment.start) / len(texts)
    return tuple(
        Word(text, segment.start + at * step, segment.start + (at + 1) * step, 0.9, _HEARD)
        for at, text in enumerate(texts)
    )


_HEARD = WordSource.ALIGNED

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    aligner, checkpoint, threads = map(ModuleType, ("aligner", "checkpoint", "threads"))
    threads.Threads = Threads  # type: ignore[attr-defined]
    aligner.Aligner = FragileAligner  # type: ignore[attr-defined]
    checkpoint.AlignModelMissingError = LookupError  # type: ignore[attr-defined]
    sys.modules["daemon.alignment.aligner"] = aligner
    sys.modules["daemon.alignment.checkpoint"] = checkpoint
    sys.modules["daemon.alignment.threads"] = threads
    sys.argv[1:] = ["--model=fragile"]
    runpy.run_module("daemon.stages.align", run_name="__main__")
