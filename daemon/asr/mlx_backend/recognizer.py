"""Whisper through MLX: files in, segments out, in batches that may span several files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from daemon.asr.language import Language
from daemon.asr.mlx_backend import cpu_kernels
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.batch_decoder import BatchDecoder
from daemon.asr.mlx_backend.batch_size import batch_size, device_name
from daemon.asr.mlx_backend.cross_attention import CrossAttentionListener
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.file_queue import FileTask, Queue
from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import SAMPLE_RATE, Span, Waveform
from daemon.domain.transcript import Recognition, Segment

CACHE_BYTES = 1 << 30  # freed buffers that MLX keeps for the next step of the same file


class MlxRecognizer:
    """Satisfies `Recognizer`. `model` is a folder in MLX format; `size` overrides the batch."""

    def __init__(
        self,
        model: Path,
        *,
        name: str,
        revision: str = "",
        size: BatchSize | None = None,
        decoder_bits: int = 0,
    ) -> None:
        mx.set_cache_limit(CACHE_BYTES)
        whisper = load_model(model, decoder_bits)
        weights = sum(array.nbytes for _, array in tree_flatten(whisper.parameters()))
        self.size = size or batch_size(whisper.dimensions, weights, whisper.dtype)
        self._whisper = whisper
        self._vocabulary = Vocabulary(whisper.dimensions)
        self._engine = Engine(whisper, self._vocabulary)
        self._name = name
        self._revision = revision

    def warm_up(self) -> None:
        """Have a GPU's first kernels compiled before a file needs them."""
        if device_name() != "cpu":
            second = np.zeros(SAMPLE_RATE, dtype=np.float32)
            self.recognize(second, [(0.0, 1.0)], RecognitionOptions(), _ignore, _ignore)

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

    def recognize_all(self, next_file: Callable[[], FileRequest | None]) -> None:
        """The last chunks of a file and the first ones of the next are decoded together."""
        queue = Queue(self._vocabulary, next_file, self._describe)
        decoder = BatchDecoder[FileTask](self._engine, self._vocabulary, self.size)
        with cpu_kernels.single_threaded_blas():
            decoder.run(queue.take, queue.give)
        mx.clear_cache()

    def listener(self) -> CrossAttentionListener:
        return CrossAttentionListener(self._whisper, self._vocabulary)

    def _describe(self, language: Language, timeline: Timeline) -> Recognition:
        """A finished file's artefact; what was freed with the file goes back to the system."""
        mx.clear_cache()
        return Recognition(
            language=language.code,
            language_probability=language.probability,
            segments=tuple(timeline.segments),
            check=tuple(timeline.left_out),
            backend="mlx",
            device=device_name(),
            model=self._name,
            model_revision=self._revision,
            versions={"mlx": version("mlx"), "mlx-whisper": version("mlx-whisper")},
        )


def _ignore(_: object) -> None:
    """Nobody listens."""
