"""Which weights a model name stands for, where they are on this machine, and whether to trust them.

Nothing here downloads: jobs run offline. `dropscribe models fetch` does that, once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.errors import DropscribeError
from daemon.models.hardware import BackendName

BUNDLED = Path(__file__).parents[1] / "bundled"
BASE = "base"  # the preset that is in the package: OpenAI's Whisper base, 4-bit


@dataclass(frozen=True, slots=True)
class Source:
    """A repository on the Hugging Face hub."""

    repository: str
    revision: str = "main"


# Whisper weights by preset and backend, pinned to the commit that independent projects name, too.
# The one without takes the newest at the time of `models fetch`, and stays with it.
PRESETS: Mapping[str, Mapping[BackendName, Source]] = {
    "large-v3": {
        "mlx": Source(
            "mlx-community/whisper-large-v3-mlx", "49e6aa286ad60c14352c404340ded53710378a11"
        ),
        "ctranslate2": Source(
            "Systran/faster-whisper-large-v3", "edaa852ec7e145841d8ffdb056a99866b5f0a478"
        ),
    },
    "large-v3-turbo": {
        "mlx": Source(
            "mlx-community/whisper-large-v3-turbo", "a4aaeec0636e6fef84abdcbe3544cb2bf7e9f6fb"
        ),
        "ctranslate2": Source(
            "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
            "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        ),
    },
    "small": {
        "mlx": Source(
            "mlx-community/whisper-small-mlx", "45f3915923c7a79a5a5b5a7d909d39aeb0e5630e"
        ),
        "ctranslate2": Source(
            "Systran/faster-whisper-small", "536b0662742c02347bc0e980a01041f333bce120"
        ),
    },
    "tiny": {
        "mlx": Source("mlx-community/whisper-tiny-mlx"),
        "ctranslate2": Source(
            "Systran/faster-whisper-tiny", "d90ca5fe260221311c53c58e660288d3deb8d356"
        ),
    },
}


# How large the presets' weights are, about: two bytes for each of their parameters, by the table of
# models in openai/whisper's README.
BYTES: Mapping[str, int] = {
    "large-v3": 2 * 1_550_000_000,
    "large-v3-turbo": 2 * 809_000_000,
    "small": 2 * 244_000_000,
    "tiny": 2 * 39_000_000,
}


class ModelMissingError(DropscribeError):
    """The weights are not on this machine; the text says how to get them."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder of weights. `needs_conversion`: MLX weights for the CTranslate2 backend.

    `stands_in_for` is the model that was wanted, where these are used until that is here.
    """

    name: str
    folder: Path
    revision: str
    needs_conversion: bool = False
    stands_in_for: str = ""


def find(model: str, backend: BackendName, environment: Mapping[str, str]) -> Weights:
    """The local weights for a preset, a folder, or a hub repository with MLX weights.

    Raises ModelMissingError if they are not here.
    """
    if model == BASE:
        return Weights(BASE, BUNDLED / "whisper-base", "bundled", backend == "ctranslate2")
    folder = Path(model).expanduser()
    if model not in PRESETS and folder.is_dir():  # whatever lies where the daemon was started
        converted = (folder / "model.bin").exists()  # it is in CTranslate2's format already
        return Weights(model, folder, "local", backend == "ctranslate2" and not converted)
    preset = PRESETS.get(model)
    source = preset[backend] if preset else Source(model)
    snapshot = snapshot_of(source, environment)
    if snapshot is None:
        raise ModelMissingError(
            f"the model {model} is not on this machine: run `dropscribe models fetch {model}`,"
            " or choose one that is (dropscribe models list)"
            if preset or "/" in model
            else f"{model} is no preset ({', '.join([BASE, *PRESETS])}), no folder,"
            " and no repository of MLX weights such as mlx-community/whisper-medium-mlx"
        )
    return Weights(model, snapshot, snapshot.name, preset is None and backend == "ctranslate2")


def find_or_stand_in(
    model: str, backend: BackendName, environment: Mapping[str, str], stand_in: bool
) -> Weights:
    """The weights of `model`; until they are here, the bundled ones, if `stand_in` allows it.

    Raises ModelMissingError where it does not.
    """
    try:
        return find(model, backend, environment)
    except ModelMissingError:
        if not stand_in or not (model in PRESETS or "/" in model):  # what nobody can fetch
            raise
        return replace(find(BASE, backend, environment), stands_in_for=model)


def about_stand_in(weights: Weights) -> str:
    """For a person: what stands in for what, and how to end that."""
    return (
        f"{weights.name} stands in for {weights.stands_in_for} until that is here:"
        " fetch it with `dropscribe models fetch`"
    )


def is_here(model: str, backend: BackendName, environment: Mapping[str, str]) -> bool:
    """Whether the weights that `model` stands for are on this machine."""
    try:
        find(model, backend, environment)
    except ModelMissingError:
        return False
    return True


# The files of torchaudio's alignment models, in torch's download cache.
TORCHAUDIO = {
    "WAV2VEC2_ASR_BASE_960H": "wav2vec2_fairseq_base_ls960_asr_ls960.pth",
    "VOXPOPULI_ASR_BASE_10K_FR": "wav2vec2_voxpopuli_base_10k_asr_fr.pt",
    "VOXPOPULI_ASR_BASE_10K_DE": "wav2vec2_voxpopuli_base_10k_asr_de.pt",
    "VOXPOPULI_ASR_BASE_10K_ES": "wav2vec2_voxpopuli_base_10k_asr_es.pt",
    "VOXPOPULI_ASR_BASE_10K_IT": "wav2vec2_voxpopuli_base_10k_asr_it.pt",
}


def aligner_is_here(name: str, environment: Mapping[str, str]) -> bool:
    """Whether an alignment model is on this machine: a folder, torchaudio's, or from the hub."""
    if Path(name).expanduser().is_dir():
        return True
    if (file := torchaudio_file(name, environment)) is not None:
        return file.is_file()
    return "/" in name and snapshot_of(Source(name), environment) is not None


def torchaudio_file(name: str, environment: Mapping[str, str]) -> Path | None:
    """Where torch keeps the file of one of torchaudio's models; None for another name."""
    if name not in TORCHAUDIO:
        return None
    caches = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("TORCH_HOME") or f"{caches}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints" / TORCHAUDIO[name]


def snapshot_of(source: Source, environment: Mapping[str, str]) -> Path | None:
    """Where the hub's client keeps this revision, if it is there (its documented cache layout)."""
    repository = hub_cache(environment) / f"models--{source.repository.replace('/', '--')}"
    revision = source.revision
    reference = repository / "refs" / revision
    if reference.is_file():
        revision = reference.read_text().strip()
    folder = repository / "snapshots" / revision
    return folder if folder.is_dir() else None


def hub_cache(environment: Mapping[str, str]) -> Path:
    home = environment.get("HF_HOME") or "~/.cache/huggingface"
    return Path(environment.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def conversions(environment: Mapping[str, str]) -> Path:
    """Where TRANSCRIBE keeps weights that it converted, so that it is done once."""
    return _cache(environment) / "converted"


def aligner_conversions(environment: Mapping[str, str]) -> Path:
    """The same for ALIGN, in a folder of its own: neither may write the other's."""
    return _cache(environment) / "converted-aligners"


def _cache(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    mac = Path("~/Library/Caches/dropscribe").expanduser()
    return mac if os.uname().sysname == "Darwin" else Path(base).expanduser() / "dropscribe"
