"""One recording through a peer's command line, with the demo models. A child of the benchmark.

    python -m daemon.bench.peer_child PEER RECORDING OUTBOX CACHE

Courtesies to the peers: recordings are decoded without an ffmpeg program, NLTK's splitter, whose
data would be downloaded, is replaced by one that needs none, and on a CPU MLX's weights are
float32, without which it is several times slower.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from daemon.audio import FloatArray
from daemon.bench.peer_models import STOCK, stock_model, stock_transcribe
from daemon.bench.synthetic import ALIGNER, WHISPER
from daemon.bench.transcription import load


class OneSentence:
    """Stands in for NLTK's trained splitter."""

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def mlx_whisper_and_whisperx(source: Path, outbox: Path) -> None:
    """As the documentation of both shows."""
    samples = _decoded(str(source))
    transcribe = stock_transcribe(stock_model(WHISPER))
    said = transcribe(samples, condition_on_previous_text=False)
    alignment: Any = importlib.import_module("whisperx.alignment")
    alignment.nltk_load = lambda _: OneSentence()
    aligner, metadata = alignment.load_align_model(said["language"], "cpu", model_name=str(ALIGNER))
    aligned = alignment.align(said["segments"], aligner, metadata, samples, "cpu")
    target = outbox / f"{source.stem}.json"
    target.write_text(json.dumps(aligned["word_segments"]), encoding="utf-8")


def whispermlx(source: Path, outbox: Path) -> None:
    """Its command line."""
    transcribe = stock_transcribe(stock_model(WHISPER))
    mlx_whisper: Any = importlib.import_module("mlx_whisper")
    mlx_whisper.transcribe = transcribe
    _command_line("whispermlx", source, outbox, ["--model", STOCK])


def whisperx(source: Path, outbox: Path, cache: Path) -> None:
    """Its command line, with the weights in CTranslate2's format."""
    from daemon.asr.ctranslate2_backend.conversion import converted  # noqa: PLC0415 - one peer only

    model = converted(WHISPER, cache)
    _command_line("whisperx", source, outbox, ["--model", str(model), "--compute_type", "int8"])


def _command_line(package: str, source: Path, outbox: Path, options: list[str]) -> None:
    alignment: Any = importlib.import_module(f"{package}.alignment")
    alignment.nltk_load = lambda _: OneSentence()
    transcribe: Any = importlib.import_module(f"{package}.transcribe")
    transcribe.load_audio = _decoded
    sys.argv = [package, str(source), "--output_dir", str(outbox), "--device", "cpu"]
    sys.argv += ["--align_model", str(ALIGNER), *options]
    importlib.import_module(f"{package}.__main__").cli()


def _decoded(source: str) -> FloatArray:
    """What the peers' `load_audio` gives: 16 kHz mono float32."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        return load(Path(source), Path(temporary)).samples


def main(peer: str, source: Path, outbox: Path, cache: Path) -> None:
    """`peer` is a name of `daemon.bench.peers.PEERS`."""
    match peer:
        case "whispermlx":
            whispermlx(source, outbox)
        case "whisperx":
            whisperx(source, outbox, cache)
        case _:
            mlx_whisper_and_whisperx(source, outbox)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
