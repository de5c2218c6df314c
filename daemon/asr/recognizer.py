"""What TRANSCRIBE asks of a speech recogniser, whatever library is behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from daemon.audio import FloatArray, Span, Waveform
from daemon.domain.transcript import Recognition, Segment


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What one file asks for. An empty `languages` means every language that the model knows."""

    language: str | None = None  # given by the user; None: detect it
    languages: tuple[str, ...] = ()  # detection is limited to these
    initial_prompt: str | None = None  # names and jargon, to bias spelling
    translate: bool = False  # into English
    beam_size: int = 1  # transcripts of a chunk that are followed at once; 1: decode greedily


@dataclass(frozen=True, slots=True)
class FileRequest:
    """One file to transcribe, and whom to tell.

    `audio` is mono, 16 kHz, shape (samples,), float32 in [-1, 1]; `speech` what voice-activity
    detection found in it, in order. `on_language` is called once, before any segment;
    `on_segment` with each finished segment, in order of time; `on_done` once, last.
    """

    audio: Waveform
    speech: Sequence[Span]
    options: RecognitionOptions
    on_language: Callable[[str], None]
    on_segment: Callable[[Segment], None]
    on_done: Callable[[Recognition], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one or a few tokens spell, when it was attended to (s), and how probable it was."""

    text: str
    start: float
    end: float
    probability: float


class Listener(Protocol):
    """A Whisper model that can tell where it listened."""

    @property
    def room(self) -> int:
        """The most tokens that it reads at once."""
        ...

    def tokens(self, text: str) -> list[int]: ...

    def pieces(self, samples: FloatArray, language: str, tokens: list[int]) -> Sequence[Piece]:
        """What `tokens` spell, with times from the start of `samples` (16 kHz, at most 30 s)."""
        ...


class Recognizer(Protocol):
    """One loaded model; owned by one thread of one process."""

    def recognize_all(self, next_file: Callable[[], FileRequest | None]) -> None:
        """Transcribe files until `next_file` has none ready and all that it gave are done.

        It is asked whenever there is room: a recogniser that decodes in batches fills them with
        the next file while the last rows of this one are still being decoded.
        """
        ...

    def listener(self) -> Listener:
        """What tells when each word of a transcript was said, by Whisper's own account."""
        ...
