"""The word aligner: segments in, their words with times out, a few segments at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from daemon.alignment.batches import batch_seconds, batches
from daemon.alignment.device import Choices, place
from daemon.alignment.model import AlignModel, load_align_model
from daemon.alignment.threads import Threads
from daemon.alignment.viterbi import Path, best_paths
from daemon.alignment.words import Script, place_words, read_scripts, spell
from daemon.audio import SAMPLE_RATE, FloatArray, Waveform
from daemon.domain.transcript import Segment, Word
from daemon.models import registry

_CHOICES = "aligner-devices.json"  # beside the converted models


@dataclass(frozen=True, slots=True)
class AlignedSegment:
    """A segment's words, or in `reason` why it has none ("it has no text")."""

    id: int
    words: tuple[Word, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    """A segment that can be aligned: inside the audio, with something to listen for."""

    segment: Segment
    scripts: tuple[Script, ...]  # the ways in which it may have been said
    waveform: FloatArray


class Aligner:
    """One loaded model, for one language; owned by one thread.

    `device` is what was chosen for it: "cpu", "mlx", "mps" or "cuda".
    """

    def __init__(self, model: AlignModel, device: str = "cpu") -> None:
        self.model = model.name
        self._alphabet = model.alphabet
        choices = Choices(registry.aligner_conversions(os.environ) / _CHOICES)
        self._network, self.device = place(model.network, device, model.identity, choices)
        self.batch_seconds = batch_seconds(self.device)

    @classmethod
    def load(
        cls,
        language: str,
        model: str | None = None,
        device: str = "auto",
        threads: Threads | None = None,
    ) -> Aligner:
        """Load `model`, by default WhisperX's for `language`, from files on this machine.

        Raises NoAlignModelError (a LookupError) for a language without a model, and
        AlignModelMissingError where the model's files are not here.
        """
        return cls(load_align_model(language, model, threads=threads), device)

    def align(
        self,
        audio: Waveform,
        segments: Sequence[Segment],
        on_segment: Callable[[AlignedSegment], None] = lambda aligned: None,
    ) -> list[AlignedSegment]:
        """Find the words of `segments` in `audio`: mono, 16 kHz, shape (samples,), float32.

        `on_segment` is called with each result as soon as it is there, in order. What the batch
        is does not change any result, so a recording may come in as many calls as one likes.
        """
        results: list[AlignedSegment] = []
        for batch in batches(segments, self.batch_seconds):
            for aligned in self._align_batch(audio, batch):
                on_segment(aligned)
                results.append(aligned)
        return results

    def _align_batch(
        self, audio: Waveform, segments: Sequence[Segment]
    ) -> Iterator[AlignedSegment]:
        prepared = [self._prepare(audio, segment) for segment in segments]
        words = iter(self._find_words([task for task in prepared if isinstance(task, _Task)]))
        for segment, task in zip(segments, prepared, strict=True):
            yield next(words) if isinstance(task, _Task) else AlignedSegment(segment.id, (), task)

    def _prepare(self, audio: Waveform, segment: Segment) -> _Task | str:
        """What to listen for and where, or the reason why that cannot be."""
        inside = replace(
            segment, start=max(segment.start, 0.0), end=min(segment.end, len(audio) / SAMPLE_RATE)
        )
        scripts = tuple(read_scripts(segment.text, self._alphabet))
        if not scripts[0].words:
            return "it has no text"
        if not inside.start < inside.end:  # also where a time is not a number
            return "it has no audio: it is empty or outside the recording"
        waveform = audio[int(inside.start * SAMPLE_RATE) : int(inside.end * SAMPLE_RATE)]
        if (missing := self._network.shortest - len(waveform)) > 0:
            waveform = np.pad(waveform, (0, missing))
        return _Task(inside, scripts, waveform)

    def _find_words(self, tasks: Sequence[_Task]) -> Iterator[AlignedSegment]:
        if not tasks:
            return
        emissions = self._network([task.waveform for task in tasks])
        paths = iter(self._paths(tasks, emissions))
        for task, emission in zip(tasks, emissions, strict=True):
            tried = [(script, next(paths)) for script in task.scripts]
            yield self._best(task.segment, tried, len(emission))

    def _paths(self, tasks: Sequence[_Task], emissions: Sequence[FloatArray]) -> list[Path | None]:
        """The best path of every script of every task, in one search."""
        blank = self._alphabet.blank
        spellings = [
            spell(script, emission, blank)
            for task, emission in zip(tasks, emissions, strict=True)
            for script in task.scripts
        ]
        return best_paths(spellings, blank)

    def _best(
        self, segment: Segment, tried: Sequence[tuple[Script, Path | None]], frames: int
    ) -> AlignedSegment:
        """The words of the script that was heard best."""
        fits = [(script, path) for script, path in tried if path is not None]
        if not fits:
            characters = min(len(script.tokens) for script, _ in tried)
            reason = f"its {characters} characters do not fit into its {frames} frames"
            return AlignedSegment(segment.id, (), reason)
        script, path = max(fits, key=lambda fit: fit[1].scores.mean())
        words = place_words(segment, script, path, frames, self._alphabet.blank)
        return AlignedSegment(segment.id, words)
