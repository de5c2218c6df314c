"""Alignment models that are published as pickles, kept as safetensors: only pickles need torch.

A copy is an ordinary model in Hugging Face's layout, in a folder that is named by the pickles'
SHA-256; the copy's own lies beside it and is looked at before each load.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from daemon.alignment.architecture import Architecture, UnsupportedArchitectureError
from daemon.alignment.checkpoint import (
    AlignModelMissingError,
    NotFetchedError,
    read_alphabet,
    read_json,
    weight_files,
)
from daemon.models import checksums, registry

_COPIED = ("config.json", "vocab.json", "added_tokens.json")

# torchaudio's names for what Hugging Face calls otherwise, in the order to replace them.
_RENAMES = (
    ("wav2vec2.", ""),
    ("encoder.transformer.", "encoder."),
    ("encoder.feature_projection.", "feature_projection."),
    ("aux.", "lm_head."),
)

Weights = dict[str, NDArray[Any]]


def converted_folder(folder: Path, copies: Path) -> Path:
    """The copy of a model whose weights are pickles in `folder`, made in `copies` if need be.

    Raises AlignModelMissingError where there are none, or none that may be opened, and
    UnsupportedArchitectureError for networks that are not read here.
    """
    Architecture.from_config(read_json(folder / "config.json"))
    read_alphabet(folder)
    pickles = sorted(folder.glob("pytorch_model*.bin"))
    if not pickles:
        raise AlignModelMissingError(f"{folder} holds no model.safetensors or pytorch_model.bin")

    def write(target: Path) -> Weights:
        for name in _COPIED:
            if (folder / name).exists():
                shutil.copyfile(folder / name, target / name)
        return {name: array for path in pickles for name, array in _read_pickle(path).items()}

    return _copy(pickles, copies, write)


def converted_bundle(name: str, copies: Path) -> Path:
    """The copy of one of torchaudio's models, such as WAV2VEC2_ASR_BASE_960H.

    Raises AlignModelMissingError, TamperedModelError and UnsupportedArchitectureError.
    """
    path = registry.torchaudio_file(name, os.environ)
    if path is None:
        raise AlignModelMissingError(f"torchaudio has no speech recognition model called {name!r}")
    if not path.exists():
        raise NotFetchedError(f"the alignment model {name} is not on this machine")

    def write(target: Path) -> Weights:
        return _write_bundle(_find_bundle(name), path, target)

    return _copy([path], copies, write)


def convert_fetched(source: registry.Source, copies: Path) -> Path | None:
    """The copy of a model that was just fetched; None for one that needs none, or is no aligner."""
    if source.repository in registry.TORCHAUDIO:
        return converted_bundle(source.repository, copies)
    folder = registry.snapshot_of(source, os.environ)
    if folder is None or weight_files(folder) or not (folder / "vocab.json").exists():
        return None
    try:
        return converted_folder(folder, copies)
    except (UnsupportedArchitectureError, AlignModelMissingError):
        return None  # the aligner's process says why, or leaves it to WhisperX


def _copy(pickles: Sequence[Path], copies: Path, write: Callable[[Path], Weights]) -> Path:
    """The folder that `write` fills with all but the weights, which it returns.

    Folders appear whole: written under a temporary name, then renamed. A damaged one is replaced.
    """
    digests = [_vouched(path) for path in pickles]
    key = hashlib.sha256("".join(digests).encode()).hexdigest() if digests[1:] else digests[0]
    target = copies / key
    if _is_whole(target):
        return target
    for path in pickles:
        checksums.verify(path)
    copies = _writable(copies)
    target = copies / target.name
    with tempfile.TemporaryDirectory(dir=copies, prefix=".converting-") as temporary:
        unfinished = Path(temporary) / "model"
        unfinished.mkdir()
        weights = write(unfinished)
        save_file(
            {_short_name(name): np.ascontiguousarray(array) for name, array in weights.items()},
            unfinished / "model.safetensors",
        )
        checksums.record(unfinished / "model.safetensors")
        _publish(unfinished, target)
    return target


def _writable(copies: Path) -> Path:
    """`copies`, or where nobody may write there, a folder that goes with the process's others."""
    try:
        copies.mkdir(parents=True, exist_ok=True)
        if not os.access(copies, os.W_OK):
            raise PermissionError(f"{copies} may not be written")
    except OSError as error:
        sys.stderr.write(f"the converted alignment model is not kept: {error}\n")
        return Path(tempfile.mkdtemp())
    return copies


def _is_whole(target: Path) -> bool:
    try:
        return checksums.verify(target) > 0
    except FileNotFoundError:
        return False
    except checksums.TamperedModelError as error:
        sys.stderr.write(f"made again: {error}\n")
        shutil.rmtree(target, ignore_errors=True)
        return False


def _publish(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise


def _vouched(path: Path) -> str:
    """The digest that a pickle must have: it is opened only if somebody vouches for it."""
    digest = checksums.digest_of(path)
    if digest is None:
        raise AlignModelMissingError(
            f"{path} is a pickle of unknown origin, which could run code: name a model in"
            " align.model that has a model.safetensors"
        )
    return digest


def _read_pickle(path: Path) -> Weights:
    """Tensors only: whatever else a pickle holds is refused."""
    import torch  # noqa: PLC0415 - seconds and half a gigabyte, once for each model

    weights = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    exact = {
        name: tensor.float() if tensor.dtype is torch.bfloat16 else tensor
        for name, tensor in weights.items()
    }
    return {name: tensor.contiguous().numpy() for name, tensor in exact.items()}


def _find_bundle(name: str) -> Any:  # noqa: ANN401 - torchaudio has no types
    """torchaudio's description of a model."""
    from torchaudio import pipelines  # noqa: PLC0415 - it brings torch

    return getattr(pipelines, name)


def _write_bundle(bundle: Any, path: Path, target: Path) -> Weights:  # noqa: ANN401
    if bundle._model_type != "Wav2Vec2" or bundle._normalize_waveform:
        raise UnsupportedArchitectureError(path.name)
    architecture = _bundle_architecture(bundle._params)
    config = {"model_type": "wav2vec2", **asdict(architecture)}
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = {label: code for code, label in enumerate(bundle.get_labels())}
    (target / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    weights = _read_pickle(path)
    for key in ("aux.weight", "aux.bias"):  # fairseq's outputs that no label belongs to
        kept = [row for row in range(len(weights[key])) if row not in bundle._remove_aux_axis]
        weights[key] = weights[key][kept]
    return weights


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


def _short_name(name: str) -> str:
    for old, new in _RENAMES:
        if name.startswith(old):
            name = new + name.removeprefix(old)
    return name
