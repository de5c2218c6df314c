"""The configuration of a demonstration: the bundled models, and every folder under one root."""

from __future__ import annotations

from pathlib import Path

from daemon.config.file import validated
from daemon.config.settings import Config, Paths
from daemon.models.registry import DEMO


def for_demo(root: Path, backend: str) -> Config:
    """The demo models, and every folder under `root`."""
    folders = {name: str(root / name) for name in Paths.model_fields}
    return validated(
        {
            "paths": folders,
            "transcribe": {"model": DEMO, "backend": backend},
            "limits": {"min_free_mb": 200},
        }
    )
