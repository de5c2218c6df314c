"""What the alignment child loads before its first segment; torch and WhisperX stay outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.kit.alignment_samples import DEMO

ALLOWED = {
    "daemon",
    "msgspec",  # the transcript's values, checked as they are read
    "num2words",  # numbers as they are said
    "numpy",
    "safetensors",
    "typing_extensions",  # msgspec's, where it is installed
}

PROGRAM = """
import json, sys
import daemon.stages.align
from daemon.alignment.aligner import Aligner
from daemon.audio import SAMPLE_RATE
from daemon.domain.transcript import Segment
import numpy as np
aligner = Aligner.load("en", sys.argv[1], "auto")
aligner.align(np.zeros(SAMPLE_RATE, np.float32), [Segment(0, 0.0, 1.0, "a word", 0.0, 0.0)])
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps([name for name, file in files.items() if file and "." not in name]))
"""


def loaded_for(model: Path, home: Path) -> set[str]:
    """The packages that a process has loaded when it has aligned a segment with `model`."""
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"XDG_CACHE_HOME": str(home), "HOME": str(home)},
    )
    loaded = {name for name in json.loads(answer.stdout) if not name.startswith("_")}
    return loaded - sys.stdlib_module_names


def test_only_numpy_and_safetensors_are_loaded(tmp_path: Path) -> None:
    assert loaded_for(DEMO, tmp_path) <= ALLOWED


def test_a_pickle_needs_torch_once(pickled: Path, tmp_path: Path) -> None:
    assert "torch" in loaded_for(pickled, tmp_path)
    assert loaded_for(pickled, tmp_path) <= ALLOWED
