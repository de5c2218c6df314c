"""The backend for this machine. Other machines are pretended: we have but one."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from daemon.errors import UsageError
from daemon.models import hardware
from daemon.models.hardware import Backend


@pytest.mark.parametrize(
    ("apple", "mlx", "nvidia", "cuda", "expected"),
    [
        (True, True, False, False, ("mlx", "metal")),
        (True, False, False, False, ("ctranslate2", "cpu")),
        (False, True, True, True, ("mlx", "cuda")),
        (False, True, True, False, ("ctranslate2", "cpu")),
        (False, True, False, True, ("ctranslate2", "cpu")),
        (False, True, False, False, ("ctranslate2", "cpu")),
    ],
)
def test_auto_chooses_by_the_hardware_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
    apple: bool,
    mlx: bool,
    nvidia: bool,
    cuda: bool,
    expected: tuple[str, str],
) -> None:
    facts = {"is_apple_silicon": apple, "has_mlx": mlx, "has_nvidia": nvidia, "has_mlx_cuda": cuda}
    for name, value in facts.items():
        monkeypatch.setattr(hardware, name, lambda value=value: value)
    backend = hardware.choose("auto")
    assert (backend.name, backend.device) == expected
    assert backend.why


def test_what_is_set_is_taken() -> None:
    assert hardware.choose("ctranslate2").name == "ctranslate2"
    assert hardware.choose("mlx").name == "mlx"


def test_a_backend_that_is_missing_is_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardware, "has_mlx", lambda: False)
    with pytest.raises(UsageError, match="pip install"):
        hardware.choose("mlx")


def test_mlx_without_a_backend_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plain installation on Linux has, for its tokenizer alone."""
    for name in ("mlx", "mlx_whisper"):
        (tmp_path / name).mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "path", [str(tmp_path)])
        patched.setattr(sys, "meta_path", [PathFinder])
        assert not hardware.has_mlx()
        (tmp_path / "mlx" / "lib").mkdir()
        assert hardware.has_mlx()


@pytest.mark.parametrize(("platform", "machine"), [("linux", "x86_64"), ("darwin", "arm64")])
def test_the_tokenizer_of_both_backends_comes_with_every_installation(
    platform: str, machine: str
) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    here = {"sys_platform": platform, "platform_machine": machine}
    needed = [Requirement(line) for line in project["project"]["dependencies"]]
    chosen = {need.name for need in needed if not need.marker or need.marker.evaluate(here)}
    assert "mlx-whisper" in chosen


def test_a_stage_gets_no_secrets_and_no_network() -> None:
    ours = {
        "HOME": "/h",
        "PATH": "/bin",
        "OMP_NUM_THREADS": "2",
        "AGX_RELAX_CDM_CTXSTORE_TIMEOUT": "1",
        "AWS_SECRET": "s",
        "HF_TOKEN": "t",
    }
    theirs = hardware.stage_environment(ours)
    assert theirs["HOME"] == "/h"
    assert theirs["OMP_NUM_THREADS"] == "2"
    assert theirs["AGX_RELAX_CDM_CTXSTORE_TIMEOUT"] == "1"  # a workaround for Apple's GPU driver
    assert theirs["HF_HUB_OFFLINE"] == "1"
    assert theirs["PYANNOTE_METRICS_ENABLED"] == "0"
    assert not {"AWS_SECRET", "HF_TOKEN", "PYTHONPATH"} & theirs.keys()


def test_no_library_prepares_to_report_to_its_maker(tmp_path: Path) -> None:
    """onnxruntime keeps a number for this machine, and what it will send, in the user's cache."""
    ours = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    network = Path(hardware.__file__).parents[1] / "bundled" / "speakers" / "segmentation.onnx"
    code = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"
    command = [sys.executable, "-c", code, str(network)]
    subprocess.run(command, env=hardware.stage_environment(ours), check=True)
    assert list(tmp_path.rglob("*")) == []


def test_a_real_blas_is_preloaded_on_a_linux_cpu_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "lib" / "libmkl_rt.so.3"
    library.parent.mkdir()
    library.touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert hardware.blas_environment(Backend("mlx", "cpu", ""))["LD_PRELOAD"] == str(library)
    assert hardware.blas_environment(Backend("mlx", "cuda", "")) == {}
    assert hardware.blas_environment(Backend("ctranslate2", "cpu", "")) == {}
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hardware.blas_environment(Backend("mlx", "metal", "")) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_ctranslate2_on_a_cpu_keeps_the_memory_that_it_needs_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tuned = hardware.transcriber_environment(Backend("ctranslate2", "cpu", ""))
    again = "b = bytearray(100 << 20); del b\n"
    script = (
        "import resource\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        f"{again}before = faults()\n{again}print(faults() - before)"
    )
    python = [sys.executable, "-c", script]
    kept = subprocess.run(python, env=os.environ | tuned, stdout=subprocess.PIPE, check=True)
    assert int(kept.stdout) < (100 << 20) // 4096 // 10  # pages, most of which it still had
    assert hardware.transcriber_environment(Backend("mlx", "metal", "")) == {}
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hardware.transcriber_environment(Backend("ctranslate2", "cpu", "")) == {}
