"""Whisper through CTranslate2: the backend where there is no GPU that MLX knows.

Two batches are under way at once. Much of decoding, and what is between CTranslate2's calls, keeps
one core busy at most; two threads, with a worker of CTranslate2 each, leave none idle.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.chunks import Chunk, cut_chunks
from daemon.asr.ctranslate2_backend.batch_decoder import Batch, FileDecoder, Results
from daemon.asr.ctranslate2_backend.encoder import CTranslate2Listener
from daemon.asr.fair_turns import FairTurns, Turn
from daemon.asr.language import ENGLISH, FileLanguages, Language
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.audio import FloatArray, Span, Waveform
from daemon.domain.transcript import Recognition, Segment

_AT_ONCE = 2  # batches
_BATCH = 4  # chunks decoded together
# A small model's rows are soon done, and take 40 MB each at most: more of them share what a step
# costs however few there are, a tenth of decoding.
_BATCH_OF_SMALL = 8
_SMALL = 100_000_000  # bytes of weights: Whisper's base has 74 million, a byte each
_LAST_BATCH = 2
_FRAMES = 3000  # frames of log-mel in a window of 30 s


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A file on its way through CTranslate2, which decodes batches of one file."""

    request: FileRequest
    languages: FileLanguages
    timeline: Timeline
    decoder: FileDecoder

    def add(self, results: Results) -> list[Chunk]:
        """Take a batch's results; return what of it is to be decoded next, in order of time."""
        more = [self.timeline.add(*result) for result in results]
        return [chunk for open_ in more for chunk in open_]


_FileTurn = Turn[_OpenFile, Chunk]


class CTranslate2Recognizer:
    """Satisfies `Recognizer`. `model` is a folder in CTranslate2 format."""

    def __init__(
        self, model: Path, *, name: str, revision: str = "", threads: int = 0, device: str = "cpu"
    ) -> None:
        self._whisper = faster_whisper.WhisperModel(
            str(model),
            device=device,
            compute_type="int8",
            cpu_threads=threads,
            num_workers=_AT_ONCE,
            local_files_only=True,
        )
        small = (model / "model.bin").stat().st_size < _SMALL
        self._batch = _BATCH_OF_SMALL if small else _BATCH
        self._device = device
        self._name = name
        self._revision = revision

    def recognize_all(self, next_file: Callable[[], FileRequest | None]) -> None:
        """Batch by batch, each of one file: a short file is not kept waiting by a long one."""
        turns = FairTurns[_OpenFile, Chunk]()
        under_way: dict[Future[Results], _FileTurn] = {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while True:
                while (request := next_file()) is not None:
                    chunks = cut_chunks(request.audio, request.speech)
                    turn = turns.open(self._opened(request, chunks), chunks)
                    self._close_if_complete(turns, turn)
                following = turns.first() if len(under_way) < _AT_ONCE else None
                if following is not None:
                    under_way[self._begin(turns, following, pool)] = following
                    continue
                if not under_way:
                    break
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    turn = under_way.pop(future)
                    turn.put_back(turn.file.add(future.result()))
                    self._close_if_complete(turns, turn)
        _give_back_memory()

    def _begin(
        self, turns: FairTurns[_OpenFile, Chunk], turn: _FileTurn, pool: ThreadPoolExecutor
    ) -> Future[Results]:
        """Have the next chunks of a file decoded."""
        file = turn.file
        most = self._batch if file.languages.settled else _BATCH  # its first words come soon
        chunks = turns.take(turn, _batch_size(len(turn.waiting), most))
        begun: list[FloatArray] = []
        if not file.languages.settled:  # told in this thread: a file's first chunk decides
            begun = [self._encode(file.request.audio, chunks[0])]
            file.decoder.settle(chunks[0], begun[0])
        return pool.submit(self._decode, file, chunks, begun)

    def _decode(
        self, file: _OpenFile, chunks: Sequence[Chunk], begun: Sequence[FloatArray]
    ) -> Results:
        """Encode what is not encoded yet, and decode. Runs in a thread of its own."""
        rest = [self._encode(file.request.audio, chunk) for chunk in chunks[len(begun) :]]
        return file.decoder.decode(Batch(tuple(chunks), np.stack([*begun, *rest])))

    def listener(self) -> CTranslate2Listener:
        return CTranslate2Listener(self._whisper, self._features)

    def recognize(
        self,
        audio: Waveform,
        speech: Sequence[Span],
        options: RecognitionOptions,
        on_language: Callable[[str], None],
        on_segment: Callable[[Segment], None],
    ) -> Recognition:
        """One file; for the arguments see `FileRequest`."""
        done: list[Recognition] = []
        file = FileRequest(audio, speech, options, on_language, on_segment, done.append)
        files = iter([file])
        self.recognize_all(lambda: next(files, None))
        return done[0]

    def _opened(self, request: FileRequest, chunks: Sequence[Chunk]) -> _OpenFile:
        tokens = Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, "transcribe", ENGLISH
        )
        languages = FileLanguages(request.options, self._languages(), request.on_language)
        timeline = Timeline(request.audio, chunks, tokens, request.on_segment, languages.foreign)
        decoder = FileDecoder(self._whisper, tokens, request.options, languages, timeline)
        return _OpenFile(request, languages, timeline, decoder)

    def _languages(self) -> list[str]:
        """Those that the model has a token for: faster-whisper lists all that any Whisper knows."""
        number_of = self._whisper.hf_tokenizer.token_to_id
        listed = self._whisper.supported_languages
        return [code for code in listed if number_of(f"<|{code}|>") is not None]

    def _close_if_complete(self, turns: FairTurns[_OpenFile, Chunk], turn: _FileTurn) -> None:
        file = turn.file
        if file.timeline.complete:
            turns.close(turn)
            file.request.on_done(self._recognition(file.languages.file, file.timeline))

    def _encode(self, audio: Waveform, chunk: Chunk) -> FloatArray:
        """Shape (1500, width). One at a time: several take no less time, and more memory."""
        features = self._features(chunk.samples(audio))
        encoded: FloatArray = np.asarray(self._whisper.encode(features)).squeeze(0)
        return encoded

    def _features(self, samples: FloatArray) -> FloatArray:
        log_mel = self._whisper.feature_extractor(samples)[:, :_FRAMES]
        padded: FloatArray = np.pad(log_mel, [(0, 0), (0, _FRAMES - log_mel.shape[1])])
        return padded

    def _recognition(self, language: Language, timeline: Timeline) -> Recognition:
        return Recognition(
            language=language.code,
            language_probability=language.probability,
            segments=tuple(timeline.segments),
            check=tuple(timeline.left_out),
            backend="ctranslate2",
            device=self._device,
            model=self._name,
            model_revision=self._revision,
            versions={
                "ctranslate2": ctranslate2.__version__,
                "faster-whisper": faster_whisper.__version__,
            },
        )


def _batch_size(waiting: int, most: int) -> int:
    """How many of a file's chunks that wait are decoded next, at most `most`.

    Ever fewer towards the end: the aligner follows a batch behind, and the last batch is what a
    person waits for.
    """
    return min(most, max(_LAST_BATCH, -(-waiting // 2)))


def _give_back_memory() -> None:
    """To the system, what was freed: the allocator keeps it while there is work."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
