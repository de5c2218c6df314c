"""What a Whisper checkpoint in MLX format holds: the sizes, the quantisation, the weights' file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from daemon.errors import DropscribeError

ALIGNMENT_HEADS = "alignment_heads"  # the weights that name them: (heads, 2), layer and number
Head = tuple[int, int]  # an attention head: its layer, and its number there

# By the converters of mlx-examples: the newest writes the second name.
_WEIGHTS = ("weights.safetensors", "model.safetensors", "weights.npz")
MULTILINGUAL_VOCABULARY = 51865  # tokens of the smallest multilingual model; large-v3 has one more


@dataclass(frozen=True, slots=True)
class Dimensions:
    """OpenAI's names for a Whisper model's sizes, as in config.json."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int

    @property
    def multilingual(self) -> bool:
        return self.n_vocab >= MULTILINGUAL_VOCABULARY

    @property
    def languages(self) -> int:
        """How many language tokens the vocabulary has."""
        return self.n_vocab - MULTILINGUAL_VOCABULARY + 99 if self.multilingual else 99

    @property
    def upper_heads(self) -> tuple[Head, ...]:
        """The decoder's upper half, whose cross-attention follows the speech in most models."""
        layers, heads = self.n_text_layer, self.n_text_head
        return tuple((layer, head) for layer in range(layers // 2, layers) for head in range(heads))


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation: `group_size` neighbours in a row share one scale and one bias."""

    group_size: int
    bits: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with config.json and weights.safetensors or weights.npz."""

    dimensions: Dimensions
    quantization: Quantization | None
    weights: Path


def read_checkpoint(folder: Path) -> Checkpoint:
    """Raises DropscribeError where `folder` is not a Whisper model in MLX format."""
    config = _read_config(folder / "config.json")
    names = [field.name for field in fields(Dimensions)]
    missing = [name for name in names if name not in config]
    if missing:
        raise DropscribeError(
            f"{folder} is not a Whisper model in MLX format: its config.json lacks"
            f" {', '.join(missing)}. Use a converted model, such as mlx-community/whisper-*."
        )
    quantization = config.get("quantization")
    return Checkpoint(
        dimensions=Dimensions(**{name: int(config[name]) for name in names}),
        quantization=Quantization(quantization["group_size"], quantization["bits"])
        if quantization
        else None,
        weights=_find_weights(folder),
    )


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DropscribeError(f"The model's {path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise DropscribeError(f"The model's {path} does not hold a JSON object.")
    return config


def _find_weights(folder: Path) -> Path:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise DropscribeError(f"{folder} holds none of {', '.join(_WEIGHTS)}.")
