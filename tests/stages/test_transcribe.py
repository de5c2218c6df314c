"""TRANSCRIBE: which model it works with, and what it says of one that it cannot use."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.asr.checkpoint import Quantization
from daemon.domain.job import FailureKind
from daemon.handoff.protocol import Ready
from daemon.stages.transcribe import _Models
from tests.kit.recognition import DEMO
from tests.kit.stage_process import failed, request_for, stage
from tests.kit.tiny_whisper import dimensions, write_checkpoint

REPOSITORY = "me/whisper"


def test_a_model_that_cannot_be_converted_says_why(tmp_path: Path) -> None:
    """And neither crashes the process nor costs the recording an attempt."""
    model = write_checkpoint(
        tmp_path / "model", dimensions(51865, 80), quantization=Quantization(64, 5)
    )
    source = tmp_path / "talk.wav"
    source.write_bytes(b"RIFF")
    command = ["-m", "daemon.stages.transcribe", "--backend", "ctranslate2"]
    command += ["--model", str(model), "--converted", str(tmp_path / "converted")]
    with stage(command, tmp_path / "log") as process:
        assert isinstance(process.hear(), Ready)
        process.ask(request_for(source, tmp_path / "job"))
        message = failed(process.receipt(), FailureKind.ENVIRONMENT)
        assert message.startswith("5-bit weights cannot be converted")
        assert process.close() == 0


def test_a_conversion_brings_no_torch_and_numpy_s_blas_takes_no_cores(tmp_path: Path) -> None:
    script = (
        "import importlib.util, os, sys\n"
        "os.environ['OPENBLAS_NUM_THREADS'] = '2'\n"
        "from pathlib import Path\n"
        "from daemon.models.registry import Weights\n"
        "from daemon.stages.transcribe import _load\n"
        f"weights = Weights('demo', Path({str(DEMO)!r}), '', needs_conversion=True)\n"
        f"_load(weights, 'ctranslate2', Path({str(tmp_path)!r}), 0)\n"
        "assert 'torch' not in sys.modules\n"
        "assert 'transformers' in sys.modules\n"
        "assert importlib.util.find_spec('torch') is not None\n"
        "from threadpoolctl import threadpool_info\n"
        "blas = [lib for lib in threadpool_info() if lib['user_api'] == 'blas']\n"
        "assert all(lib['num_threads'] == 1 for lib in blas), blas\n"
        "assert os.environ['OPENBLAS_NUM_THREADS'] == '2', 'CTranslate2 may have read it'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert list(tmp_path.glob("*/model.bin"))


def test_a_stand_in_gives_way_as_soon_as_the_model_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    models = _Models(
        argparse.Namespace(
            model=REPOSITORY, backend="mlx", stand_in=True, converted=tmp_path, decoder_bits=None
        )
    )
    base = models.recognizer()
    assert models.stands_in_for == REPOSITORY
    assert not models.outdated
    assert models.recognizer() is base

    folder = tmp_path / f"models--{REPOSITORY.replace('/', '--')}"
    shutil.copytree(DEMO, folder / "snapshots" / "c0ffee")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("c0ffee")
    assert models.outdated
    assert models.recognizer() is not base
    assert models.stands_in_for == ""
    assert not models.outdated
