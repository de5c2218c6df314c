"""Loading an alignment model: WhisperX's choice for the language, or the user's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.alignment.architecture import UnsupportedArchitectureError
from daemon.alignment.checkpoint import (
    AlignModelMissingError,
    NotFetchedError,
    read_folder,
    weight_files,
)
from daemon.alignment.network import HostNetwork
from daemon.alignment.threads import Threads
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.alignment.words import Alphabet
from daemon.models import registry
from daemon.models.aligners import read_catalogue
from daemon.models.registry import Source


@dataclass(frozen=True, slots=True)
class AlignModel:
    """`name` is a folder, a Hugging Face repository or a torchaudio bundle.

    `identity` tells its weights from others.
    """

    name: str
    alphabet: Alphabet
    network: HostNetwork
    identity: str


def load_align_model(
    language: str,
    name: str | None = None,
    revision: str | None = None,
    copies: Path | None = None,
    threads: Threads | None = None,
) -> AlignModel:
    """The model for `language`, on the CPU, from files that are on this machine already.

    `revision` pins a Hugging Face repository to a commit; `copies` is where pickles are kept as
    safetensors, by default with this user's other conversions. Raises NoAlignModelError for a
    language without a model, AlignModelMissingError where the model's files are not here.
    """
    copies, threads = copies or registry.aligner_conversions(os.environ), threads or Threads()
    catalogue = read_catalogue()
    what = name or language  # a language's usual model is fetched by the language
    name = name or catalogue.model_for(language)
    folder: Path | None = None
    network: HostNetwork
    tokens: Mapping[str, int]
    try:
        folder = _folder(name, revision)
        checkpoint = read_folder(_readable(folder or name, copies))
    except NotFetchedError as error:
        message = f"{error} (run `dropscribe models fetch {what}`)"
        raise AlignModelMissingError(message) from error
    except UnsupportedArchitectureError:
        from daemon.alignment.whisperx_network import load_whisperx_network  # noqa: PLC0415 - torch

        network, tokens = load_whisperx_network(language, str(folder or name), threads)
        identity = str(folder or name)
    else:
        network = Wav2Vec2(checkpoint.architecture, checkpoint.weights, threads)
        tokens, identity = checkpoint.alphabet, checkpoint.identity
    alphabet = Alphabet(tokens, language not in catalogue.unspaced, language)
    return AlignModel(name, alphabet, network, identity)


def _readable(model: Path | str, copies: Path) -> Path:
    """The folder with a model's weights, or with the copy of those that need torch."""
    if isinstance(model, Path) and weight_files(model):
        return model
    from daemon.alignment import conversion  # noqa: PLC0415 - only for pickles

    if isinstance(model, Path):
        return conversion.converted_folder(model, copies)
    return conversion.converted_bundle(model, copies)


def _folder(name: str, revision: str | None) -> Path | None:
    """Where a model in Hugging Face's layout is; None where `name` is a torchaudio bundle's."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if "/" not in name:
        return None
    source = Source(name, revision) if revision else Source(name)
    snapshot = registry.snapshot_of(source, os.environ)
    if snapshot is None:
        raise NotFetchedError(f"the alignment model {name} is not on this machine")
    return snapshot
