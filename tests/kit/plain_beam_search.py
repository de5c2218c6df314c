"""openai/whisper's beam search (decoding.py), step by step in numpy: slow, and easy to check.

As a program, `python -m tests.kit.plain_beam_search WIDTH NAME…` prints as JSON what it and the
engine's search find in bundled recordings, with the bundled weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from daemon.asr.mlx_backend.beam_search import search
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.mlx_backend.whisper import KeysValues, Whisper
from daemon.asr.vocabulary import Vocabulary
from daemon.models.registry import BUNDLED
from tests.kit.recognition import decoded_file

Floats = NDArray[np.float64]
Tokens = tuple[int, ...]


def plain_search(
    model: Whisper,
    vocabulary: Vocabulary,
    cross: Sequence[KeysValues],
    prompt: Sequence[int],
    width: int,
    room: int,
) -> tuple[Tokens, float]:
    """The best transcript and the sum of its log probabilities; `cross` are of one chunk."""
    beams: dict[Tokens, float] = {(): 0.0}
    finished: dict[Tokens, float] = {}
    for _ in range(room):
        scores: dict[Tokens, float] = {}
        rows = _logits(model, cross, prompt, list(beams))
        for (tokens, total), logits in zip(beams.items(), rows, strict=True):
            logprobs = _ruled(logits, tokens, vocabulary)
            for token in np.argsort(-logprobs)[: width + 1].tolist():
                scores[(*tokens, token)] = total + float(logprobs[token])
        beams, ended = _followed(scores, width, vocabulary.eot)
        finished |= dict(list(ended.items())[: width - len(finished)])
        if len(finished) >= width:
            break
    unfinished = sorted(beams.items(), key=lambda one: -one[1])
    finished |= dict(unfinished[: width - len(finished)])
    best = max(finished, key=lambda tokens: finished[tokens] / max(1, len(tokens)))
    return best, finished[best]


def _followed(
    scores: dict[Tokens, float], width: int, eot: int
) -> tuple[dict[Tokens, float], dict[Tokens, float]]:
    """The beams to follow, and what ended before the last of them in order of probability."""
    beams, ended = dict[Tokens, float](), dict[Tokens, float]()
    for tokens in sorted(scores, key=lambda one: -scores[one]):
        if tokens[-1] == eot:
            ended[tokens[:-1]] = scores[tokens]
        else:
            beams[tokens] = scores[tokens]
            if len(beams) == width:
                break
    return beams, ended


def _logits(
    model: Whisper,
    cross: Sequence[KeysValues],
    prompt: Sequence[int],
    beams: Sequence[Tokens],
) -> Floats:
    """After each beam, (beams, vocabulary); nothing is kept from one step to the next."""
    rows = []
    for tokens in beams:
        all_tokens = mx.array([[*prompt, *tokens]])
        positions = mx.arange(all_tokens.shape[1])[None]
        hidden = model.decoder(all_tokens, positions, lambda _, kv: kv, "causal", cross)
        rows.append(np.array(model.decoder.logits(hidden[:, -1]))[0].astype(np.float64))
    return np.stack(rows)


def _ruled(logits: Floats, tokens: Tokens, vocabulary: Vocabulary) -> Floats:
    """Log probabilities under SuppressTokens and ApplyTimestampRules."""
    begin, eot = vocabulary.timestamp_begin, vocabulary.eot
    logits[list(vocabulary.never)] = -np.inf
    stamps = [token for token in tokens if token >= begin]
    last_is_stamp = bool(tokens) and tokens[-1] >= begin
    before_is_stamp = len(tokens) < 2 or tokens[-2] >= begin
    if last_is_stamp and before_is_stamp:
        logits[begin:] = -np.inf
    elif last_is_stamp:
        logits[:eot] = -np.inf
    if stamps:
        logits[begin : stamps[-1] + (not last_is_stamp or before_is_stamp)] = -np.inf
    if not tokens:
        logits[:begin] = -np.inf
        logits[begin + 51 :] = -np.inf
    logprobs = _log_softmax(logits)
    with np.errstate(divide="ignore"):
        if np.log(np.exp(logprobs[begin:]).sum()) > logprobs[:begin].max():
            logits[:begin] = -np.inf
    return _log_softmax(logits)


def _log_softmax(logits: Floats) -> Floats:
    top = logits.max()
    normalised: Floats = logits - top - np.log(np.exp(logits - top).sum())
    return normalised


def main() -> None:
    width, names = int(sys.argv[1]), sys.argv[2:]
    model = load_model(BUNDLED / "whisper-base")
    vocabulary = Vocabulary(model.dimensions)
    engine = Engine(model, vocabulary)
    prompt = vocabulary.prompt("en", None)
    cross = engine.encode([decoded_file(BUNDLED / "audio" / name) for name in names])
    greedy = search(engine, cross, [prompt] * len(names), 1)
    wide = search(engine, cross, [prompt] * len(names), width)
    plain = [
        plain_search(
            model,
            vocabulary,
            [(k[at : at + 1], v[at : at + 1]) for k, v in cross],
            prompt,
            width,
            engine.room(len(prompt)),
        )
        for at in range(len(names))
    ]
    heard = {
        name: {
            "greedy": greedy[at].beam.tokens,
            "search": (wide[at].beam.tokens, wide[at].beam.logprob),
            "plain": plain[at],
        }
        for at, name in enumerate(names)
    }
    json.dump(heard, sys.stdout)


if __name__ == "__main__":
    main()
