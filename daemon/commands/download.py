"""Downloading a model, or saying how to get it by hand where there is no network."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import click

from daemon.errors import DropscribeError
from daemon.files.atomic import sha256_of
from daemon.models import checksums, registry
from daemon.models.registry import Source

_NOT_NEEDED = ["*.msgpack", "*.h5", "*.ot", "*.onnx", "flax_*", "tf_*", "language_model/*"]
_TORCHAUDIO = "https://download.pytorch.org/torchaudio/models/"
_HUB = "https://huggingface.co/"
_NOTHING_AFTER = 416  # HTTP: the range that was asked for begins behind the end
_BROKEN = ("IncompleteRead", "ended prematurely", "peer closed", "Connection reset")
_SECONDS = 20.0  # for the hub's first answer


def download(name: str, source: Source) -> str:
    """Download one source; returns where it lies. What was interrupted goes on where it was.

    Raises DropscribeError, with how to do it by hand.
    """
    try:
        if "/" in source.repository:
            return _from_hub(source)
        return _from_torchaudio(source.repository)
    except (OSError, ValueError, RuntimeError) as error:
        raise DropscribeError(_by_hand(name, source, error)) from error


def _from_hub(source: Source) -> str:
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - heavy, and only for this

    about = HfApi().model_info(
        source.repository, revision=source.revision, files_metadata=True, timeout=_SECONDS
    )
    size = sum(file.size or 0 for file in about.siblings or () if _is_needed(file.rfilename))
    licence = about.card_data.get("license") if about.card_data else None
    click.echo(f"  {size / 1e9:.2f} GB, licence: {licence or 'not stated'}")
    return str(
        snapshot_download(source.repository, revision=source.revision, ignore_patterns=_NOT_NEEDED)
    )


def _is_needed(name: str) -> bool:
    return not any(fnmatch.fnmatch(name, pattern) for pattern in _NOT_NEEDED)


def _from_torchaudio(name: str) -> str:
    """One of torchaudio's models. It is a pickle: it is downloaded here, never opened."""
    path = registry.torchaudio_file(name, os.environ)
    if path is None:
        raise ValueError(f"torchaudio has no model called {name}")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.part")
        _go_on(f"{_TORCHAUDIO}{path.name}", partial)
        digest = checksums.TORCHAUDIO.get(path.name)
        if digest is not None and sha256_of(partial) != digest:
            partial.unlink()
            raise OSError("what came is not the published file, and was thrown away")
        partial.rename(path)
    checksums.verify(path)
    return str(path)


def _go_on(address: str, partial: Path) -> None:
    """Fetch what is missing of a file. Raises OSError."""
    from huggingface_hub.file_download import http_get  # noqa: PLC0415 - heavy; it resumes

    try:
        with partial.open("ab") as file:
            http_get(address, file, resume_size=file.tell())
    except OSError as error:
        if _answer_of(error) != _NOTHING_AFTER:
            raise
        partial.unlink()  # longer than the file is, or as long: which of them nobody says
        _go_on(address, partial)


def _by_hand(name: str, source: Source, error: Exception) -> str:
    """What went wrong, and how the files can be had another way."""
    reason = _reason(error)
    size = registry.BYTES.get(name)
    about = f" (about {size / 1e9:.1f} GB)" if size else ""
    said = f"cannot fetch {name}{about}: {reason}. Try again later: it goes on where it was."
    if "/" not in source.repository:
        return f"{said} Or put {name}'s file from {_TORCHAUDIO} into {_torch_folder()}"
    return (
        f"{said} Or fetch the files of {_HUB}{source.repository}/tree/{source.revision} by hand"
        " into a folder, and name that folder as the model"
    )


def _reason(error: Exception) -> str:
    text = str(error)
    if (answer := _answer_of(error)) is not None:
        return f"the server answered {answer}"
    if any(words in text for words in _BROKEN):
        return "the connection broke off"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return (
            "the server's certificate is not trusted (does a proxy of your company sign it? then"
            " name the file of its authorities in the environment, as SSL_CERT_FILE and"
            " REQUESTS_CA_BUNDLE)"
        )
    if isinstance(error, ConnectionError) or "resolve" in text:
        return "the network cannot be reached"
    return text.splitlines()[0] if text else type(error).__name__


def _answer_of(error: Exception) -> int | None:
    """The HTTP status that an error of the hub's library is about."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _torch_folder() -> Path:
    file = registry.torchaudio_file("WAV2VEC2_ASR_BASE_960H", os.environ)
    assert file is not None
    return file.parent
