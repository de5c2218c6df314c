"""A child of tests: what an MLX Whisper says of when the words of samples were said, as JSON.

A process of its own, because MLX on a Linux CPU needs a BLAS that is preloaded, as the worker's is.
For each sample: its segments with words, when each piece of its whole text begins, and when each
word of it does according to mlx_whisper's own `find_alignment`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import mlx.core as mx
from mlx.utils import tree_unflatten
from mlx_whisper import timing, tokenizer, whisper

from daemon.asr.checkpoint import read_checkpoint
from daemon.asr.ctranslate2_backend.mlx_weights import read_weights
from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.recognizer import MlxRecognizer
from daemon.asr.word_times import add_words
from daemon.domain.validation import to_json
from tests.kit.alignment_samples import sentences
from tests.kit.recognition import DEMO, audio_of, truth_of

_FRAME = 160  # samples of a frame of log-mel


def _stock() -> whisper.Whisper:
    checkpoint = read_checkpoint(DEMO)
    model = whisper.Whisper(whisper.ModelDimensions(**asdict(checkpoint.dimensions)), mx.float32)
    weights = [(name, mx.array(array)) for name, array in read_weights(checkpoint).items()]
    model.update(tree_unflatten(weights))
    return model


def main() -> None:
    listener = MlxRecognizer(DEMO, name="demo").listener()
    stock = _stock()
    found: dict[str, object] = {}
    for given in sys.argv[1:]:
        sample, language = given.split("=")
        audio, tokens = audio_of(sample), listener.tokens(f" {truth_of(sample)}")
        segments = add_words(audio, language, sentences(sample), listener)
        words = timing.find_alignment(
            stock,
            tokenizer.get_tokenizer(True, language=language),
            tokens,
            log_mel([audio], stock.dims.n_mels)[0],
            len(audio) // _FRAME,
        )
        found[sample] = {
            "segments": [to_json(segment) for segment in segments],
            "ours": [(one.text, one.start) for one in listener.pieces(audio, language, tokens)],
            "stock": [(one.word, float(one.start)) for one in words],
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
