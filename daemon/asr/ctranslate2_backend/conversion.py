"""Whisper in MLX format → CTranslate2 int8, so that both backends run on the same weights.

Needs neither MLX nor torch. What it needs is imported only where there is something to convert.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from daemon.asr.checkpoint import Checkpoint, read_checkpoint


def converted(source: Path, cache: Path) -> Path:
    """The CTranslate2 int8 copy of the MLX checkpoint in `source`, made in `cache` if need be.

    Folders appear whole: written under a temporary name, then renamed. Raises DropscribeError
    where `source` is not such a checkpoint, OSError where `cache` cannot be written.
    """
    checkpoint = read_checkpoint(source)
    stamp = checkpoint.weights.stat()
    target = cache / f"{source.name}-int8-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    if (target / "model.bin").is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".converting-") as temporary:
        unfinished = Path(temporary) / "model"
        unfinished.mkdir()
        _convert(checkpoint, unfinished)
        _publish(unfinished, target)
    return target


def _publish(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not (target / "model.bin").is_file():  # else another process was faster
            raise


def _convert(checkpoint: Checkpoint, target: Path) -> None:
    from daemon.asr.ctranslate2_backend.mlx_weights import read_weights  # noqa: PLC0415 - see above
    from daemon.asr.ctranslate2_backend.model_writer import write_model  # noqa: PLC0415

    write_model(checkpoint.dimensions, read_weights(checkpoint), target, "int8")
