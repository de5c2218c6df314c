"""What in a transcript deserves doubt: for `provenance.warnings` and for the `check` list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from daemon.asr.quality import GUESS
from daemon.audio import Span, Waveform
from daemon.domain.transcript import Doubt, Recognition, Segment

_UNSURE = 0.5  # probability of the language
_MISSED = 1.0  # seconds of speech without text in one place that are worth a look
_MANY = 3.0  # and altogether, worth a warning
_NAMED = 3  # places that a warning is about, each
_SILENT = -65.0  # dBFS
_FRAME = 480  # samples, 30 ms
_BLOCK = 20_000 * _FRAME  # samples looked at in one go: bounds memory


def review(
    recognition: Recognition, speech: Sequence[Span], audio: Waveform
) -> tuple[tuple[str, ...], tuple[Doubt, ...]]:
    """Warnings for a person, and the spots worth a listen, the worst first.

    `speech` is what voice-activity detection found in `audio` (16 kHz, mono); what the recogniser
    itself has doubted is in `recognition.check`.
    """
    missed = list(_missed(recognition.segments, speech))
    poor = [segment for segment in recognition.segments if segment.avg_logprob < GUESS]
    doubts = (*recognition.check, *_doubts(missed, poor))
    return tuple(_warnings(recognition, missed, poor, audio)), doubts


def _warnings(
    recognition: Recognition,
    missed: Sequence[Span],
    poor: Sequence[Segment],
    audio: Waveform,
) -> Iterator[str]:
    if not recognition.segments and not _is_silent(audio):
        yield "there is sound, but no speech that could be made out"
    seconds = sum(end - start for start, end in missed)
    if seconds >= _MANY:
        yield f"{seconds:.0f} s of speech were detected for which there is no text"
    for doubt in recognition.check[:_NAMED]:
        yield f"at {doubt.start:.1f} s: {doubt.reason}"
    if poor:
        yield f"{len(poor)} of {len(recognition.segments)} segments are little more than guesses"
    if recognition.segments and recognition.language_probability < _UNSURE:
        yield (
            f"the language is uncertain: {recognition.language}, at"
            f" {recognition.language_probability:.0%}"
        )


def _doubts(missed: Sequence[Span], poor: Sequence[Segment]) -> list[Doubt]:
    weighed = [(end - start, Doubt(start, end, "speech without text")) for start, end in missed]
    weighed += [
        (
            (segment.end - segment.start) * -segment.avg_logprob,
            Doubt(segment.start, segment.end, "improbable words"),
        )
        for segment in poor
    ]
    return [doubt for _, doubt in sorted(weighed, key=lambda pair: -pair[0])]


def _missed(segments: Sequence[Segment], speech: Sequence[Span]) -> Iterator[Span]:
    """Detected speech that no segment covers."""
    for start, end in speech:
        at = start
        for segment in segments:
            if segment.end > at and segment.start < end:
                if segment.start - at >= _MISSED:
                    yield at, segment.start
                at = segment.end
        if end - at >= _MISSED:
            yield at, end


def _is_silent(audio: Waveform) -> bool:
    powers = []
    for start in range(0, len(audio) // _FRAME * _FRAME, _BLOCK):
        block = audio[start : start + _BLOCK]
        frames = block[: len(block) // _FRAME * _FRAME].reshape(-1, _FRAME)
        powers.append(np.einsum("ij,ij->i", frames, frames) / _FRAME)
    if not powers:
        return True
    return bool(10 * np.log10(np.percentile(np.concatenate(powers), 95) + 1e-12) < _SILENT)
