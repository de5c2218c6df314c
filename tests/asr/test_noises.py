"""Where nobody speaks Whisper writes nothing, even if the detection of speech were mistaken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.models.hardware import BackendName, blas_environment, choose
from tests.kit.noises import noises


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["mlx", "ctranslate2"])
def test_whisper_writes_nothing_where_noise_is_taken_for_speech(backend: BackendName) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.kit.noises", backend],
        env=os.environ | blas_environment(choose(backend)),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(child.stdout) == dict.fromkeys(noises(), "")
