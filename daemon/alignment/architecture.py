"""The sizes of a wav2vec 2.0 network, from its config.json or its torchaudio bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

# What config.json means where it is silent: transformers' Wav2Vec2Config.
_DEFAULTS: dict[str, Any] = {
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "feat_extract_norm": "group",
    "do_stable_layer_norm": False,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_conv_pos_embedding_groups": 16,
    "layer_norm_eps": 1e-5,
}

# What the network in this package does; a model that needs anything else is WhisperX's to run.
_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "model_type": ("wav2vec2",),
    "feat_extract_norm": ("group", "layer"),
    "feat_extract_activation": ("gelu", None),
    "hidden_act": ("gelu", None),
    "add_adapter": (False, None),
    "adapter_attn_dim": (None,),
}


class UnsupportedArchitectureError(ValueError):
    """A network that differs from plain wav2vec 2.0."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes, under the names of a Hugging Face config.json."""

    conv_kernel: tuple[int, ...]
    conv_stride: tuple[int, ...]
    feat_extract_norm: Literal["group", "layer"]  # over time in layer 0; over channels in all
    do_stable_layer_norm: bool
    num_hidden_layers: int
    num_attention_heads: int
    num_conv_pos_embedding_groups: int
    layer_norm_eps: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Raises UnsupportedArchitectureError where the network would need more than we do."""
        for key, supported in _SUPPORTED.items():
            if config.get(key, _DEFAULTS.get(key)) not in supported:
                raise UnsupportedArchitectureError(f"{key} is {config.get(key)!r}")
        known = {key: config.get(key, default) for key, default in _DEFAULTS.items()}
        known["conv_kernel"] = tuple(known["conv_kernel"])
        known["conv_stride"] = tuple(known["conv_stride"])
        return cls(**known)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return prod(self.conv_stride)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame sees, and so the fewest that make a frame."""
        field = 1
        for kernel, stride in zip(self.conv_kernel[::-1], self.conv_stride[::-1], strict=True):
            field = (field - 1) * stride + kernel
        return field

    def frames(self, samples: int) -> int:
        return (samples - self.receptive_field) // self.hop + 1
