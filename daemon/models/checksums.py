"""Are these the weights that we mean? Their SHA-256 is looked at before each load."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from daemon.errors import DropscribeError
from daemon.files.atomic import sha256_of

# The bundled weights, by folder and file name.
_BUNDLED = {
    "whisper-base/weights.safetensors": (
        "b4483661c6d6c65a3eab6691daa4967c8ac75ef6d74795100f088694d901b597"
    ),
    "speakers/segmentation.onnx": (
        "38b78f4cf60edd08ffa094da127fa25836e1e14d6138bf04aef0f2c38b7986b4"
    ),
    "speakers/voice.onnx": "2cc3afe9687abccaf3accab5fa8e9d73899f6dadae6649bc3dc75ee70a47f35c",
    "speech/silero.onnx": "c8b362d31c24a9d3c12c329f19a29867c7abd3a5051ef97e5cecc02b33f65def",
}

# torchaudio's alignment models, by the file's name: pickles, published without a digest. That of
# the English one is in ten independent projects, those of the others in one that has it, too.
TORCHAUDIO: Mapping[str, str] = {
    "wav2vec2_fairseq_base_ls960_asr_ls960.pth": (
        "488fd4f16de84438ffc945334278c1b9fb9b7159a806c1080b16111a958c945d"
    ),
    "wav2vec2_voxpopuli_base_10k_asr_fr.pt": (
        "30eeb5e5000e011838a39328c21eadf5ddaedbef0ea3f7cf5a790fd8695b92b5"
    ),
    "wav2vec2_voxpopuli_base_10k_asr_de.pt": (
        "5fcd937817d4cc358aa9730ccaa92cdae37af4b62959b67ba77ef1f5da7938cf"
    ),
    "wav2vec2_voxpopuli_base_10k_asr_es.pt": (
        "272a92b156b78e697e6c7cf7c64f274250a36d0047440e27a895a377d3af818f"
    ),
    "wav2vec2_voxpopuli_base_10k_asr_it.pt": (
        "620bad579ee46ba1f67df2e7c858c111d14a09b349a62b1c672f0275a68484eb"
    ),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RECORD = "SHA256SUMS"  # beside weights that were converted here, as sha256sum writes it


class TamperedModelError(DropscribeError):
    """The file is not the one that was published; nothing of it is loaded."""


def verify(weights: Path) -> int:
    """Hold a file, or the files of a folder, against their known digests; how many are known.

    Known are the bundled models, torchaudio's, and whatever lies in the hub's cache: that stores
    each large file under its SHA-256; and what was converted here. Other files are the user's own.
    Raises TamperedModelError.
    """
    known = list(_known(weights))
    for path, expected in known:
        verify_digest(path, expected)
    return len(known)


def verify_digest(path: Path, expected: str) -> None:
    """Raises TamperedModelError if the file's SHA-256 is another."""
    if sha256_of(path) != expected:
        raise TamperedModelError(
            f"the model file {path} is damaged or was changed: delete it and run"
            " `dropscribe models fetch`, or install dropscribe again if it is a bundled one"
        )


def digest_of(path: Path) -> str | None:
    """The SHA-256 that this file must have; None if nobody vouches for it."""
    if path.parent.parent.name == "bundled":
        return _BUNDLED.get(f"{path.parent.name}/{path.name}")
    if path.is_symlink() and _SHA256.fullmatch(path.resolve().name):
        return path.resolve().name
    return TORCHAUDIO.get(path.name)


def _known(weights: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(weights.iterdir()) if weights.is_dir() else [weights]:
        if (expected := digest_of(path) or _recorded(path)) is not None:
            yield path, expected


def record(path: Path) -> None:
    """Write the SHA-256 of a file that was made here beside it, for `verify`."""
    line = f"{sha256_of(path)}  {path.name}\n"
    (path.parent / _RECORD).write_text(line, encoding="utf-8")


def _recorded(path: Path) -> str | None:
    try:
        lines = (path.parent / _RECORD).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return digests.get(path.name)


def identity(files: Iterable[Path]) -> str:
    """What tells these weights from others: digests, or the sizes and times of a user's own."""
    return " ".join(digest_of(path) or _recorded(path) or _stamp(path) for path in files)


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{path} {stat.st_size:x} {stat.st_mtime_ns:x}"
