"""Which of several audio tracks are transcribed: the ones that belong to one conversation.

Microphones and computer sound on tracks of their own are mixed. What is silent, what is a copy in
another codec, and what was made to be heard instead of the main track (another language, a
commentary, a description of the picture) is left out, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from av.stream import Disposition

from daemon.stages import channels
from daemon.stages.channels import Levels, Samples
from daemon.stages.metadata import tags_of
from daemon.stages.rumble import WithoutRumble
from daemon.stages.tracks import Track

TrackChoice = Literal["mix", "first", "all"]

_NO_LANGUAGE = frozenset({"", "und", "mul", "mis", "zxx", "unk"})  # ISO 639-2's non-answers
_SILENT = "it is silent"
_COPY = "it is a copy of another track"
_NO_LOSS = (_SILENT, _COPY)
_INSTEAD = (  # heard instead of the main track, not together with it
    (Disposition.comment, "a commentary"),
    (Disposition.visual_impaired, "a description for blind people"),
    (Disposition.descriptions, "a description for blind people"),
    (Disposition.karaoke, "a karaoke version"),
    (Disposition.dub, "a dubbed version"),
)


@dataclass(frozen=True, slots=True)
class MeasuredTrack:
    """A decoded track and its levels. `left_out` says why it is not transcribed, if it is not."""

    track: Track
    number: int  # from 1, in the file's order
    parts: Sequence[tuple[Samples, Levels]]
    left_out: str = ""
    audible: bool = True  # there is something in it that the others do not have

    @property
    def loud(self) -> float:
        return max((float(levels.loud.max(initial=0.0)) for _, levels in self.parts), default=0.0)

    @property
    def title(self) -> str:
        return " ".join(tags_of(self.track.stream.metadata).get("title", "").split())

    @property
    def name(self) -> str:
        """For a person: its number, and its title or language if it has them."""
        what = ", ".join(text for text in (self.title, self.language) if text)
        return f"track {self.number} ({what})" if what else f"track {self.number}"

    @property
    def language(self) -> str:
        language = tags_of(self.track.stream.metadata).get("language", "")
        return "" if language in _NO_LANGUAGE else language


def select(
    tracks: Sequence[Track], choice: TrackChoice, progress: Callable[[float], None]
) -> list[MeasuredTrack]:
    """Measure all tracks, telling the seconds looked at; at least one of them is not left out."""
    measured = [_measured(track, number, progress) for number, track in enumerate(tracks, 1)]
    loudest = max(one.loud for one in measured)
    selected: list[MeasuredTrack] = []
    for one in measured:
        chosen = [other for other in selected if not other.left_out]
        reason = _why_not(one, chosen, loudest, choice)
        selected.append(replace(one, left_out=reason, audible=reason not in _NO_LOSS))
    if all(one.left_out for one in selected):  # none is the main track: the first with sound is it
        first = max(selected, key=lambda one: one.loud)
        selected[first.number - 1] = replace(first, left_out="")
    return selected


def _measured(track: Track, number: int, progress: Callable[[float], None]) -> MeasuredTrack:
    parts = [_heard(part.samples(), progress) for part in track.writer.parts.values()]
    return MeasuredTrack(track, number, parts)


def _heard(samples: Samples, progress: Callable[[float], None]) -> tuple[Samples, Levels]:
    levels = channels.measure(samples, progress)
    if not levels.rumbles:
        return samples, levels
    clear = WithoutRumble(samples)
    return clear, channels.measure(clear, progress)


def _why_not(
    one: MeasuredTrack, chosen: Sequence[MeasuredTrack], loudest: float, choice: TrackChoice
) -> str:
    """Why `one` is not transcribed beside the `chosen` tracks; empty if it is."""
    disposition = one.track.stream.disposition
    language = chosen[0].language if chosen else ""
    beside = choice != "all"  # in one transcript
    reasons = (
        (not one.parts, "nothing in it could be decoded"),
        (channels.is_silent(one.loud, loudest), _SILENT),
        *(
            (choice != "all" and bool(disposition & flag), f"it is {what}")
            for flag, what in _INSTEAD
        ),
        (bool(chosen) and choice == "first", "only the first track is wanted"),
        (
            beside and bool(one.language and language) and one.language != language,
            f"it is in another language than {chosen[0].name if chosen else ''}",
        ),
        (any(_same_sound(one, other) for other in chosen), _COPY),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _same_sound(one: MeasuredTrack, other: MeasuredTrack) -> bool:
    pairs = ((a, b) for _, a in one.parts for _, b in other.parts)
    return any(channels.alike(a, b) for a, b in pairs)
