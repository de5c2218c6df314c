"""What the alignment child loads before its first segment; the rest of WhisperX stays outside."""

import json
import subprocess
import sys

from tests.kit.alignment_samples import DEMO

ALLOWED = {
    "daemon",
    "msgspec",  # the transcript's values, checked as they are read
    "num2words",  # numbers as they are said
    "numpy",
    "safetensors",
    "torch",
    "torchgen",  # of torch
    "tqdm",  # torch.hub's
    "typing_extensions",  # torch's
}

PROGRAM = f"""
import json, sys
from daemon.alignment.aligner import Aligner
Aligner.load("en", {str(DEMO)!r}, "cpu")
files = {{name: getattr(module, "__file__", None) for name, module in sys.modules.items()}}
print(json.dumps([name for name, file in files.items() if file and "." not in name]))
"""


def test_only_torch_numpy_and_safetensors_are_loaded() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = {name for name in json.loads(answer.stdout) if not name.startswith("_")}
    assert loaded - sys.stdlib_module_names <= ALLOWED
