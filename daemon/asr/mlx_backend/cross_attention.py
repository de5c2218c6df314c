"""Where an MLX Whisper listened while it wrote a text: one pass with the attention laid open."""

from __future__ import annotations

from collections import defaultdict

import mlx.core as mx
import numpy as np

from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.asr.recognizer import Piece
from daemon.asr.utterances import TOKEN_SECONDS
from daemon.asr.vocabulary import Vocabulary
from daemon.asr.word_times import token_starts
from daemon.audio import SAMPLE_RATE, FloatArray


class CrossAttentionListener:
    """Satisfies `Listener`."""

    def __init__(self, model: Whisper, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._heads: defaultdict[int, list[int]] = defaultdict(list)  # by layer
        for layer, head in model.alignment_heads:
            self._heads[layer].append(head)
        self.room = model.dimensions.n_text_ctx - len(self._framed("en", []))

    def tokens(self, text: str) -> list[int]:
        return self._vocabulary.encode(text)

    def pieces(self, samples: FloatArray, language: str, tokens: list[int]) -> list[Piece]:
        """The shortest runs of tokens that spell whole characters."""
        framed = self._framed(language, tokens)
        first = len(framed) - len(tokens) - 2  # what stands here predicts the text's first token
        hidden, weights = self._read(framed, samples)
        frames = min(max(1, round(len(samples) / SAMPLE_RATE / TOKEN_SECONDS)), weights.shape[-1])
        weights = mx.softmax(weights[..., :frames].astype(mx.float32), axis=-1)
        starts = token_starts(np.array(weights), slice(first, -1)) * TOKEN_SECONDS
        logits = self._model.decoder.logits(hidden[0, first:-2])
        probabilities = mx.softmax(logits[:, : self._vocabulary.eot], axis=-1)
        probable = np.array(probabilities)[np.arange(len(tokens)), tokens]
        return self._cut(tokens, starts, probable)

    def _framed(self, language: str, tokens: list[int]) -> list[int]:
        prompt = self._vocabulary.prompt(language, None)
        return [*prompt, self._vocabulary.no_timestamps, *tokens, self._vocabulary.eot]

    def _read(self, tokens: list[int], samples: FloatArray) -> tuple[mx.array, mx.array]:
        """Hidden states (1, t, d), and what to attend to before the softmax, (heads, t, a)."""
        decoder = self._model.decoder
        mel = log_mel([samples], self._model.dimensions.n_mels).astype(self._model.dtype)
        cross = decoder.keys_values(self._model.encoder(mel))
        x = decoder.token_embedding(mx.array([tokens]))
        x = x + decoder.positional_embedding[: len(tokens)]
        attended: list[mx.array] = []
        for layer, block in enumerate(decoder.blocks):
            q, kv = block.attn.project(block.attn_ln(x))
            x = x + block.attn.attend(q, kv, "causal")
            asking = block.cross_attn_ln(x)
            if heads := self._heads.get(layer):
                scores = block.cross_attn.scores(asking, cross[layer])
                attended.append(scores[0, mx.array(heads)])
            x = block.mlp(x + block.cross_attn(asking, cross[layer]))
        return decoder.ln(x), mx.concatenate(attended)

    def _cut(self, tokens: list[int], starts: FloatArray, probable: FloatArray) -> list[Piece]:
        pieces: list[Piece] = []
        at = 0
        for text, count in self._vocabulary.split(tokens):
            end = at + count
            probability = float(probable[at:end].mean())
            pieces.append(Piece(text, float(starts[at]), float(starts[end]), probability))
            at = end
        return pieces
