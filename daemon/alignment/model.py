"""Loading an alignment model: WhisperX's choice for the language, or the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.alignment.architecture import UnsupportedArchitectureError
from daemon.alignment.checkpoint import (
    AlignModelMissingError,
    NotFetchedError,
    read_bundle,
    read_folder,
)
from daemon.alignment.network import Network
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.alignment.whisperx_network import load_whisperx_network
from daemon.alignment.words import Alphabet
from daemon.models.aligners import read_catalogue


@dataclass(frozen=True, slots=True)
class AlignModel:
    """`name` is a folder, a Hugging Face repository or a torchaudio bundle."""

    name: str
    alphabet: Alphabet
    network: Network


def load_align_model(
    language: str, name: str | None = None, revision: str | None = None
) -> AlignModel:
    """The model for `language`, on the CPU, from files that are on this machine already.

    `revision` pins a Hugging Face repository to a commit. Raises NoAlignModelError for a language
    without a model, AlignModelMissingError where the model's files are not here.
    """
    catalogue = read_catalogue()
    what = name or language  # a language's usual model is fetched by the language
    name = name or catalogue.model_for(language)
    folder: Path | None = None
    try:
        folder = _folder(name, revision)
        checkpoint = read_folder(folder) if folder else read_bundle(name)
    except NotFetchedError as error:
        message = f"{error} (run `dropscribe models fetch {what}`)"
        raise AlignModelMissingError(message) from error
    except UnsupportedArchitectureError:
        network, tokens = load_whisperx_network(language, str(folder or name))
    else:
        network, tokens = Wav2Vec2(checkpoint.architecture, checkpoint.weights), checkpoint.alphabet
    return AlignModel(name, Alphabet(tokens, language not in catalogue.unspaced, language), network)


def _folder(name: str, revision: str | None) -> Path | None:
    """Where a model in Hugging Face's layout is; None where `name` is a torchaudio bundle's."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if "/" not in name:
        return None
    from huggingface_hub import snapshot_download  # noqa: PLC0415, half a second

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except ValueError as error:  # what huggingface_hub raises for absent and for impossible names
        raise NotFetchedError(f"the alignment model {name} is not on this machine") from error
