"""One file through mlx_whisper and then whisperx.align, as their documentation shows. A child.

Two courtesies: the recording is decoded without an ffmpeg program, and the sentence splitter whose
data whisperx would download is replaced by one that needs none.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from daemon import models
from daemon.bench.transcription import load, stock_model


class OneSentence:
    """Stands in for NLTK's trained splitter."""

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def main(source: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        samples = load(source, Path(temporary)).samples
    transcribe = importlib.import_module("mlx_whisper.transcribe")
    holder = transcribe.ModelHolder
    holder.model, holder.model_path = stock_model(models.BUNDLED / "whisper-demo"), "loaded"
    said = transcribe.transcribe(
        samples, path_or_hf_repo="loaded", fp16=False, condition_on_previous_text=False
    )
    alignment: Any = importlib.import_module("whisperx.alignment")
    alignment.nltk_load = lambda _: OneSentence()
    aligner, metadata = alignment.load_align_model(
        said["language"], "cpu", model_name=str(models.BUNDLED / "align-demo")
    )
    aligned = alignment.align(said["segments"], aligner, metadata, samples, "cpu")
    target.write_text(json.dumps(aligned["word_segments"]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
