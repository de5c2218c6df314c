"""Files on their way through the batch decoder: chunks go in, segments come out in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daemon.asr.chunks import Chunk, cut_chunks
from daemon.asr.fair_turns import FairTurns, Turn
from daemon.asr.language import ENGLISH, FileLanguages, Language
from daemon.asr.quality import Decoded
from daemon.asr.recognizer import FileRequest
from daemon.asr.timeline import Timeline
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import FloatArray, Int16Array, Recording
from daemon.domain.transcript import Recognition

Describe = Callable[[Language, Timeline], Recognition]


class OpenFile:
    """A request, its language once heard, and its segments so far."""

    def __init__(self, request: FileRequest, vocabulary: Vocabulary, describe: Describe) -> None:
        self.chunks = cut_chunks(request.audio, request.speech)
        self.request = request
        self.languages = FileLanguages(
            request.options, vocabulary.languages or (ENGLISH,), request.on_language
        )
        self.timeline = Timeline(
            request.audio, self.chunks, vocabulary, request.on_segment, self.languages.foreign
        )
        self._describe = describe

    def close(self) -> None:
        self.request.on_done(self._describe(self.languages.file, self.timeline))


@dataclass(frozen=True, slots=True)
class FileTask:
    """A chunk of a file, as the batch decoder takes it."""

    file: OpenFile
    chunk: Chunk
    vocabulary: Vocabulary

    @property
    def samples(self) -> FloatArray | Int16Array:
        """As int16 where they lie so on disk: half the bytes on their way to a GPU."""
        audio = self.file.request.audio
        if isinstance(audio, Recording):
            return audio.int16(self.chunk.span)
        return self.chunk.samples(audio)

    @property
    def seed(self) -> int:
        return round(self.chunk.start * 1000)

    @property
    def divisible(self) -> bool:
        return self.chunk.divisible

    @property
    def beams(self) -> int:
        return self.file.request.options.beam_size

    def prompt(self, detect: Callable[[], Mapping[str, float]]) -> Sequence[int]:
        language = self.file.languages.of(self.chunk, detect)
        options = self.file.request.options
        return self.vocabulary.prompt(
            language,
            options.initial_prompt,
            self.chunk.context,
            translate=options.translate,
            timestamps=not self.chunk.continuous,
        )

    def decoded(self, tokens: Sequence[int], avg_logprob: float, no_speech_prob: float) -> Decoded:
        return self.file.timeline.decoded(self.chunk, tokens, avg_logprob, no_speech_prob)


class Queue:
    """Feeds a batch decoder from files; a short file's chunks overtake those of a long one."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        next_file: Callable[[], FileRequest | None],
        describe: Describe,
    ) -> None:
        self._vocabulary = vocabulary
        self._next_file = next_file
        self._describe = describe
        self._turns = FairTurns[OpenFile, FileTask]()
        self._open: dict[OpenFile, Turn[OpenFile, FileTask]] = {}

    def take(self, most: int) -> list[FileTask]:
        """At most `most` chunks that are ready now."""
        while (request := self._next_file()) is not None:
            file = OpenFile(request, self._vocabulary, self._describe)
            tasks = [FileTask(file, chunk, self._vocabulary) for chunk in file.chunks]
            self._open[file] = self._turns.open(file, tasks)
            self._close_if_complete(file)
        tasks = []
        while len(tasks) < most and (turn := self._turns.first()) is not None:
            tasks += self._turns.take(turn, most - len(tasks))
        return tasks

    def give(self, task: FileTask, decoded: Decoded) -> None:
        """Take a chunk's result; what it left open is decoded next."""
        file = task.file
        more = file.timeline.add(task.chunk, decoded)
        self._open[file].put_back(FileTask(file, chunk, self._vocabulary) for chunk in more)
        self._close_if_complete(file)

    def _close_if_complete(self, file: OpenFile) -> None:
        if file.timeline.complete:
            self._turns.close(self._open.pop(file))
            file.close()
