from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.kit.alignment_samples import DEMO


def vouch_for(file: Path) -> None:
    """Keep a file as the hub's cache does: under its digest, with a link to it."""
    blob = file.parent.parent / hashlib.sha256(file.read_bytes()).hexdigest()
    file.rename(blob)
    file.symlink_to(blob)


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """The bundled model with its weights as torch writes them, as from the hub."""
    folder = Path(shutil.copytree(DEMO, tmp_path / "model"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    vouch_for(folder / "pytorch_model.bin")
    return folder
