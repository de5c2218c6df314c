"""A child of tests: the MLX engine on the samples, at several batch sizes, as JSON on stdout.

A process of its own, because MLX on a Linux CPU needs a BLAS that is preloaded, as the worker's is.
Every chunk is encoded once; only the decoding is repeated for each batch size.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import mlx.core as mx

from daemon.asr.language import Language
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.batch_decoder import BatchDecoder
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.file_queue import FileTask, Queue
from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.mlx_backend.whisper import KeysValues
from daemon.asr.quality import Decoded
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.timeline import Timeline
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import FloatArray
from daemon.domain.transcript import Recognition
from daemon.domain.validation import to_json
from tests.kit.recognition import DEMO, audio_of, speech_in


class RememberingEngine(Engine):
    """Does not encode the same chunk twice."""

    def encode(self, chunks: Sequence[FloatArray]) -> list[KeysValues]:
        if not hasattr(self, "_heard"):
            self._heard: dict[bytes, list[KeysValues]] = {}
        for chunk in chunks:
            key = chunk[:1000].tobytes()
            if key not in self._heard:
                self._heard[key] = super().encode([chunk])
                mx.eval(self._heard[key])
        layers = zip(*(self._heard[chunk[:1000].tobytes()] for chunk in chunks), strict=True)
        return [
            (mx.concatenate([k for k, _ in layer]), mx.concatenate([v for _, v in layer]))
            for layer in layers
        ]


def recognize(
    engine: Engine, vocabulary: Vocabulary, samples: list[str], rows: int
) -> list[object]:
    """Language, segments and tokens of each sample, all of them fed through the same batches."""
    done: dict[str, Recognition] = {}
    tokens: dict[str, list[tuple[float, tuple[int, ...]]]] = {name: [] for name in samples}

    def request(name: str) -> FileRequest:
        return FileRequest(
            audio_of(name),
            speech_in(name),
            RecognitionOptions(),
            lambda _: None,
            lambda _: None,
            lambda recognition: done.update({name: recognition}),
        )

    requests = [request(name) for name in samples]
    names = dict(zip(map(id, (each.audio for each in requests)), samples, strict=True))
    waiting = iter(requests)
    queue = Queue(vocabulary, lambda: next(waiting, None), _describe)

    def give(task: FileTask, decoded: Decoded) -> None:
        tokens[names[id(task.file.request.audio)]].append((task.chunk.start, decoded.tokens))
        queue.give(task, decoded)

    size = BatchSize(rows=rows, encoded=1)
    BatchDecoder[FileTask](engine, vocabulary, size).run(queue.take, give)
    return [
        {
            "sample": name,
            "language": done[name].language,
            "segments": [to_json(segment) for segment in done[name].segments],
            "tokens": sorted(tokens[name]),
        }
        for name in samples
    ]


def _describe(language: Language, timeline: Timeline) -> Recognition:
    segments = tuple(timeline.segments)
    return Recognition(language.code, language.probability, segments, "", "", "", "", {})


def main() -> None:
    model = load_model(DEMO)
    vocabulary = Vocabulary(model.dimensions)
    engine = RememberingEngine(model, vocabulary)
    samples, sizes = sys.argv[1].split(","), [int(size) for size in sys.argv[2].split(",")]
    json.dump({size: recognize(engine, vocabulary, samples, size) for size in sizes}, sys.stdout)


if __name__ == "__main__":
    main()
