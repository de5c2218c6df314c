"""The configuration of a demonstration: the bundled model, and every folder under one root."""

from __future__ import annotations

from pathlib import Path

from daemon.config.file import validated
from daemon.config.settings import Config, Paths
from daemon.models.registry import BASE


def for_demo(root: Path, backend: str, model: str = BASE, aligner: str = "") -> Config:
    """The bundled model unless another is named, and every folder under `root`."""
    folders = {name: str(root / name) for name in Paths.__struct_fields__}
    return validated(
        {
            "paths": folders,
            "transcribe": {"model": model, "backend": backend},
            "align": {"model": aligner},
            "limits": {"min_free_mb": 200},
        }
    )
