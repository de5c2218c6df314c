"""An alignment model's files: sizes, weights and alphabet, read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.numpy import load_file

from daemon.alignment.architecture import Architecture, UnsupportedArchitectureError
from daemon.audio import FloatArray
from daemon.errors import DropscribeError
from daemon.models import checksums

_POSITIONS = "encoder.pos_conv_embed.conv"


class AlignModelMissingError(DropscribeError):
    """The alignment model is not on this machine."""


class NotFetchedError(AlignModelMissingError):
    """As above, and it can be fetched; the message does not say how."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`alphabet` maps lower-case characters to the network's outputs, as WhisperX builds it.

    `identity` tells these weights from others: digests, or where nobody vouches for the files,
    their sizes and times.
    """

    architecture: Architecture
    weights: Mapping[str, FloatArray]
    alphabet: Mapping[str, int]
    identity: str


def read_folder(folder: Path) -> Checkpoint:
    """A model in Hugging Face's layout, its weights in safetensors (`conversion` makes such).

    Raises AlignModelMissingError without files that may be loaded, TamperedModelError for changed
    ones, UnsupportedArchitectureError for other networks.
    """
    architecture = Architecture.from_config(read_json(folder / "config.json"))
    alphabet = read_alphabet(folder)
    files = weight_files(folder)
    if not files:
        raise AlignModelMissingError(f"{folder} holds no model.safetensors or pytorch_model.bin")
    checksums.verify(folder)
    weights: dict[str, NDArray[Any]] = {}
    for path in files:
        weights |= _read_safetensors(path)
    return Checkpoint(architecture, normalise(weights), alphabet, checksums.identity(files))


def weight_files(folder: Path) -> list[Path]:
    """The weights that can be read without torch; empty where there are pickles only."""
    return sorted(folder.glob("model*.safetensors"))


def read_alphabet(folder: Path) -> dict[str, int]:
    vocabulary = read_json(folder / "vocab.json")
    added = folder / "added_tokens.json"
    if added.exists():
        vocabulary |= read_json(added)
    if not all(isinstance(code, int) for code in vocabulary.values()):
        raise UnsupportedArchitectureError("one vocabulary for each of several languages")
    return {character.lower(): code for character, code in vocabulary.items()}


def normalise(weights: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """float32 weights under Hugging Face's short names, the weight norm multiplied out."""
    renamed = {
        name.removeprefix("wav2vec2."): np.ascontiguousarray(array, np.float32)
        for name, array in weights.items()
    }
    gain = _pop(
        renamed, f"{_POSITIONS}.weight_g", f"{_POSITIONS}.parametrizations.weight.original0"
    )
    shape = _pop(
        renamed, f"{_POSITIONS}.weight_v", f"{_POSITIONS}.parametrizations.weight.original1"
    )
    length = np.sqrt(np.square(shape).sum(axis=(0, 1), keepdims=True, dtype=np.float64))
    renamed[f"{_POSITIONS}.weight"] = shape * (gain / length).astype(np.float32)
    return renamed


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of a file; bfloat16, which numpy lacks, as float32."""
    try:
        with safe_open(path, "np") as file:
            kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        if "BF16" not in kinds:
            return dict(load_file(path))
        stored = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return {name: _array(**array) for name, array in stored}
    except (SafetensorError, TypeError, ValueError) as error:
        raise AlignModelMissingError(
            f"the weights {path} cannot be read ({error}): fetch the alignment model again"
        ) from error


def _array(dtype: str, shape: list[int], data: bytearray) -> NDArray[Any]:
    if dtype == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(shape)
    kind = {"F16": np.float16, "F32": np.float32, "F64": np.float64}.get(dtype)
    if kind is None:
        raise ValueError(f"its {dtype} are no weights")
    return np.frombuffer(data, kind).reshape(shape)


def read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path.parent} is no alignment model: it has no {path.name}"
        raise AlignModelMissingError(message) from error
    return data


def _pop(weights: dict[str, FloatArray], *names: str) -> FloatArray:
    found = [weights.pop(name) for name in names if name in weights]
    if not found:
        raise UnsupportedArchitectureError(f"it has no {names[0]}")
    return found[0]
