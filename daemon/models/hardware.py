"""Which backend this machine should use, found out without importing any of them."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.errors import UsageError

BackendName = Literal["mlx", "ctranslate2"]

# The BLAS inside the mlx[cpu] wheel is the reference implementation, about 30 times slower than
# a real one; whichever of these is found is preloaded into the worker on a Linux CPU.
_BLAS = ("libmkl_rt.so.3", "libmkl_rt.so.2", "libopenblas.so.0", "libopenblas.so")
_BLAS_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)

# No mapping a request, nothing given back but on demand, one heap for all threads (a thread's own
# holds no request that large), and large pages where the kernel has any.
_MALLOC = ("mmap_max=0", f"trim_threshold={1 << 40}", "arena_max=1", "hugetlb=1")

# What a stage inherits from our environment; everything else, secrets included, stays here.
_INHERITED = (
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "HF_HOME",
    "HF_HUB_CACHE",
    "TORCH_HOME",
    "XDG_CACHE_HOME",
    "SSL_CERT_FILE",
)
# The last three: settings of Apple's GPU driver, MLX and torch, by which their faults are worked
# around (github.com/ml-explore/mlx/issues/3267).
PREFIXES = ("OMP_", "OPENBLAS_", "MKL_", "AGX_", "MLX_", "PYTORCH_")

# Libraries that would tell their makers of us: what leaves this machine is the user's to say.
NO_TELEMETRY = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
}


@dataclass(frozen=True, slots=True)
class Backend:
    """What transcribes, on what, and why it was chosen: for the log and for doctor."""

    name: BackendName
    device: str  # "metal", "cuda" or "cpu"
    why: str


def choose(setting: Literal["auto", "mlx", "ctranslate2"]) -> Backend:
    """The backend for this machine; raises UsageError if the wanted one is not installed."""
    if setting == "ctranslate2":
        return Backend("ctranslate2", "cpu", "transcribe.backend says so")
    if setting == "mlx":
        if not has_mlx():
            raise UsageError(
                "transcribe.backend is mlx, but mlx is not installed: install it with"
                " `pip install 'dropscribe[demo]'`, or set transcribe.backend to auto"
            )
        return Backend("mlx", _mlx_device(), "transcribe.backend says so")
    return _automatic()


def _automatic() -> Backend:
    if is_apple_silicon():
        if has_mlx():
            return Backend("mlx", "metal", "Apple silicon: MLX runs on its GPU through Metal")
        return Backend("ctranslate2", "cpu", "Apple silicon, but mlx-whisper is not installed")
    if has_nvidia() and has_mlx_cuda():
        found = "an NVIDIA GPU, and MLX with CUDA is installed"
        return Backend("mlx", "cuda", f"{found}: it compiles kernels first, for up to minutes")
    return Backend("ctranslate2", "cpu", "no GPU that MLX can use: CTranslate2 is fastest on a CPU")


def is_apple_silicon() -> bool:
    return sys.platform == "darwin" and platform.machine() == "arm64"


def has_mlx() -> bool:
    """Whether MLX can compute here: on Linux, the package alone comes without a backend."""
    found = importlib.util.find_spec("mlx")
    if found is None or importlib.util.find_spec("mlx_whisper") is None:
        return False
    return any((Path(place) / "lib").is_dir() for place in found.submodule_search_locations or ())


def has_mlx_cuda() -> bool:
    return has_mlx() and any(_installed(f"mlx-cuda-{version}") for version in ("12", "13"))


def has_nvidia() -> bool:
    return sys.platform == "linux" and Path("/dev/nvidia0").exists()


def _mlx_device() -> str:
    if is_apple_silicon():
        return "metal"
    return "cuda" if has_nvidia() and has_mlx_cuda() else "cpu"


def _installed(distribution: str) -> bool:
    from importlib import metadata  # noqa: PLC0415 - slow, and only where there is an NVIDIA GPU

    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def stage_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """A minimal environment for a stage process: offline, and without anybody's secrets."""
    inherited = {
        key: value for key, value in ours.items() if key in _INHERITED or key.startswith(PREFIXES)
    }
    return inherited | {
        **NO_TELEMETRY,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }


def aligner_threads(backend: Backend) -> int:
    """With how many threads the aligner leaves room for the transcriber; 0: it need not.

    Where both compute on the CPU, it takes half of the cores: two OpenMP teams that each want all
    cores wait for one another, and both get slower, several times.
    """
    return max(1, (os.cpu_count() or 2) // 2) if backend.device == "cpu" else 0


def transcriber_environment(backend: Backend) -> dict[str, str]:
    """What a process that transcribes through `backend` is started with, beside the usual."""
    return blas_environment(backend) | allocator_environment(backend)


def allocator_environment(backend: Backend) -> dict[str, str]:
    """What has glibc keep CTranslate2's memory from call to call; empty elsewhere.

    Else each call gets its activations from the kernel anew, and zeroed: a sixth of the CPU time of
    encoding. Large pages save another twentieth. Musl and macOS do not know the variable.
    """
    if sys.platform != "linux" or (backend.name, backend.device) != ("ctranslate2", "cpu"):
        return {}
    return {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{tunable}" for tunable in _MALLOC)}


def blas_environment(backend: Backend) -> dict[str, str]:
    """What makes MLX use a real BLAS on a Linux CPU; empty elsewhere, or where none is found."""
    if sys.platform != "linux" or (backend.name, backend.device) != ("mlx", "cpu"):
        return {}
    folders = (Path(sys.prefix) / "lib", *map(Path, _BLAS_FOLDERS))
    found = next((f / name for name in _BLAS for f in folders if (f / name).exists()), None)
    if found is None:
        return {}
    return {"LD_PRELOAD": str(found), "LD_LIBRARY_PATH": str(found.parent)}
