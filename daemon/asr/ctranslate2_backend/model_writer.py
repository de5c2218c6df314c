"""Writes a model's weights, vocabulary and settings as a folder that faster-whisper reads.

CTranslate2's specifications import torch where it is installed, for seconds; it is not needed.
"""

from __future__ import annotations

import json
from pathlib import Path

from ctranslate2.specs.whisper_spec import WhisperSpec
from tokenizers import AddedToken, Tokenizer

from daemon.asr.checkpoint import ALIGNMENT_HEADS, Dimensions
from daemon.asr.ctranslate2_backend.mlx_weights import Weights
from daemon.asr.ctranslate2_backend.weight_map import fill
from daemon.asr.vocabulary import Vocabulary, assets

# The pattern that splits text before byte-pair merging (openai/whisper, tokenizer.py).
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def write_model(dimensions: Dimensions, weights: Weights, target: Path, quantization: str) -> None:
    """A CTranslate2 model in the folder `target`, as faster-whisper reads it."""
    vocabulary = Vocabulary(dimensions)
    spec = WhisperSpec(
        dimensions.n_audio_layer,
        dimensions.n_audio_head,
        dimensions.n_text_layer,
        dimensions.n_text_head,
    )
    fill(spec, weights)
    _configure(spec, vocabulary, dimensions, weights)
    tokenizer = _tokenizer(vocabulary, dimensions.multilingual)
    spec.register_vocabulary(_tokens_in_order(tokenizer))
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(target))
    tokenizer.save(str(target / "tokenizer.json"))
    features = {"feature_size": dimensions.n_mels}
    (target / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")


def _configure(
    spec: WhisperSpec, vocabulary: Vocabulary, dimensions: Dimensions, weights: Weights
) -> None:
    named = weights.get(ALIGNMENT_HEADS)
    heads = list(dimensions.upper_heads) if named is None else named.astype(int).tolist()
    spec.config.suppress_ids = list(vocabulary.never)
    spec.config.suppress_ids_begin = list(vocabulary.blank)
    spec.config.lang_ids = sorted(vocabulary.languages.values())
    spec.config.alignment_heads = heads


def _tokenizer(vocabulary: Vocabulary, multilingual: bool) -> Tokenizer:
    """Hugging Face's form of the tokenizer, which faster-whisper reads."""
    from transformers.convert_slow_tokenizer import TikTokenConverter  # noqa: PLC0415 - seconds

    ranks = assets() / ("multilingual.tiktoken" if multilingual else "gpt2.tiktoken")
    converter = TikTokenConverter(str(ranks), _PATTERN, additional_special_tokens=[])
    tokenizer: Tokenizer = converter.converted()
    # Added here: transformers 5 knows the converter's argument for them by another name.
    special = [AddedToken(text, normalized=False) for text in vocabulary.special_tokens]
    tokenizer.add_special_tokens(special)
    return tokenizer


def _tokens_in_order(tokenizer: Tokenizer) -> list[str]:
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)
