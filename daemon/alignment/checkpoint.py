"""An alignment model's files: sizes, weights and alphabet, from a folder or a torchaudio bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from daemon.alignment.architecture import Architecture, UnsupportedArchitectureError
from daemon.errors import DropscribeError
from daemon.models import checksums

_POSITIONS = "encoder.pos_conv_embed.conv"

# torchaudio's names for what Hugging Face calls otherwise, in the order to replace them.
_RENAMES = (
    ("wav2vec2.", ""),
    ("encoder.transformer.", "encoder."),
    ("encoder.feature_projection.", "feature_projection."),
    ("aux.", "lm_head."),
)


class AlignModelMissingError(DropscribeError):
    """The alignment model is not on this machine."""


class NotFetchedError(AlignModelMissingError):
    """As above, and it can be fetched; the message does not say how."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`alphabet` maps lower-case characters to the network's outputs, as WhisperX builds it."""

    architecture: Architecture
    weights: Mapping[str, Tensor]
    alphabet: Mapping[str, int]


def read_folder(folder: Path) -> Checkpoint:
    """A model in Hugging Face's layout; safetensors are preferred to pickles.

    Raises AlignModelMissingError without files that may be loaded, TamperedModelError for changed
    ones, UnsupportedArchitectureError for other networks.
    """
    checksums.verify(folder)
    architecture = Architecture.from_config(_read_json(folder / "config.json"))
    alphabet = read_alphabet(folder)
    return Checkpoint(architecture, normalise(_read_weights(folder)), alphabet)


def read_alphabet(folder: Path) -> dict[str, int]:
    vocabulary = _read_json(folder / "vocab.json")
    added = folder / "added_tokens.json"
    if added.exists():
        vocabulary |= _read_json(added)
    if not all(isinstance(code, int) for code in vocabulary.values()):
        raise UnsupportedArchitectureError("one vocabulary for each of several languages")
    return {character.lower(): code for character, code in vocabulary.items()}


def read_bundle(name: str) -> Checkpoint:
    """A torchaudio bundle, such as WAV2VEC2_ASR_BASE_960H, from torch's download cache.

    Raises AlignModelMissingError and TamperedModelError.
    """
    bundle = find_bundle(name)
    path = bundle_path(bundle)
    if not path.exists():
        raise NotFetchedError(f"the alignment model {name} is not on this machine")
    checksums.verify(path)
    weights = _read_pickle(path)
    for key in ("aux.weight", "aux.bias"):  # fairseq's outputs that no label belongs to
        kept = [row for row in range(len(weights[key])) if row not in bundle._remove_aux_axis]
        weights[key] = weights[key][kept]
    if bundle._model_type != "Wav2Vec2" or bundle._normalize_waveform:
        raise UnsupportedArchitectureError(name)
    alphabet = {label.lower(): code for code, label in enumerate(bundle.get_labels())}
    return Checkpoint(_bundle_architecture(bundle._params), normalise(weights), alphabet)


def find_bundle(name: str) -> Any:  # noqa: ANN401 - torchaudio has no types
    """torchaudio's description of a model; raises AlignModelMissingError if it has none."""
    from torchaudio import pipelines  # noqa: PLC0415, no other model needs it

    bundle = getattr(pipelines, name, None)
    if not isinstance(bundle, pipelines.Wav2Vec2ASRBundle):
        raise AlignModelMissingError(f"torchaudio has no speech recognition model called {name!r}")
    return bundle


def bundle_path(bundle: Any) -> Path:  # noqa: ANN401
    """Where torch keeps the file that a bundle downloads."""
    return Path(torch.hub.get_dir()) / "checkpoints" / str(bundle._path)


def normalise(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """float32 weights under Hugging Face's short names, the weight norm multiplied out."""
    renamed = {_short_name(name): tensor.float() for name, tensor in weights.items()}
    gain = _pop(
        renamed, f"{_POSITIONS}.weight_g", f"{_POSITIONS}.parametrizations.weight.original0"
    )
    shape = _pop(
        renamed, f"{_POSITIONS}.weight_v", f"{_POSITIONS}.parametrizations.weight.original1"
    )
    length = torch.linalg.vector_norm(shape, dim=(0, 1), keepdim=True)
    renamed[f"{_POSITIONS}.weight"] = shape * (gain / length)
    return renamed


def _short_name(name: str) -> str:
    for old, new in _RENAMES:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name


def _bundle_architecture(parameters: Mapping[str, Any]) -> Architecture:
    convolutions = parameters["extractor_conv_layer_config"]
    return Architecture(
        conv_kernel=tuple(kernel for _, kernel, _ in convolutions),
        conv_stride=tuple(stride for _, _, stride in convolutions),
        feat_extract_norm="group" if parameters["extractor_mode"] == "group_norm" else "layer",
        do_stable_layer_norm=parameters["encoder_layer_norm_first"],
        num_hidden_layers=parameters["encoder_num_layers"],
        num_attention_heads=parameters["encoder_num_heads"],
        num_conv_pos_embedding_groups=parameters["encoder_pos_conv_groups"],
        layer_norm_eps=1e-5,
    )


def _read_weights(folder: Path) -> dict[str, Tensor]:
    safe = sorted(folder.glob("model*.safetensors"))
    pickles = sorted(folder.glob("pytorch_model*.bin"))
    if not safe and not pickles:
        raise AlignModelMissingError(f"{folder} holds no model.safetensors or pytorch_model.bin")
    weights: dict[str, Tensor] = {}
    for path in safe or pickles:
        weights |= _read_safetensors(path) if safe else _read_pickle(path)
    return weights


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = load_file(path)
    return weights


def _read_pickle(path: Path) -> dict[str, Tensor]:
    """Tensors only, and only from a file that somebody vouches for: a pickle can hold code."""
    if checksums.digest_of(path) is None:
        raise AlignModelMissingError(
            f"{path} is a pickle of unknown origin, which could run code: name a model in"
            " align.model that has a model.safetensors"
        )
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return weights


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path.parent} is no alignment model: it has no {path.name}"
        raise AlignModelMissingError(message) from error
    return data


def _pop(weights: dict[str, Tensor], *names: str) -> Tensor:
    return next(weights.pop(name) for name in names if name in weights)
