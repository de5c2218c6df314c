"""What the formats draw on: a transcript and what was made of it once, for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from daemon.config.settings import Subtitles
from daemon.domain.transcript import Json
from daemon.rendering import paragraphs
from daemon.rendering.cues import Cue, cues
from daemon.rendering.limits import limits
from daemon.rendering.paragraphs import Paragraph, Sentence
from daemon.rendering.transcript import Transcript


@dataclass(frozen=True)
class Material:
    """A transcript with the settings that its files depend on.

    `timestamps`: whether texts for people show times. `stages`: what each stage cost, as in
    NAME.timing.json. `recordings`: where the recording may lie, as paths relative to the outbox
    in the order of likelihood; the page plays the first that is there. `index`: the address
    of index.html, "" where there is none.
    """

    transcript: Transcript
    subtitles: Subtitles = field(default_factory=Subtitles)
    timestamps: bool = False
    stages: Mapping[str, Json] = field(default_factory=dict)
    recordings: tuple[str, ...] = ()
    index: str = ""

    @cached_property
    def cues(self) -> list[Cue]:
        language = self.transcript.language
        return cues(self.transcript.segments, limits(self.subtitles, language), language)

    @cached_property
    def sentences(self) -> list[Sentence]:
        return paragraphs.sentences(self.transcript)

    @cached_property
    def paragraphs(self) -> list[Paragraph]:
        return paragraphs.paragraphs(self.sentences)
