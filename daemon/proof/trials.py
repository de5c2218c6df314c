"""Trials that load torch or a model, each in a process of its own.

`python -m daemon.proof.trials NAME` prints one JSON object. Their speed and memory are what is
asked for, so nothing else runs there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

_ALIGNED_SECONDS = 30


def torch_import() -> dict[str, Any]:
    begun = time.perf_counter()
    import torch  # noqa: PLC0415 - this is what is timed

    return {"seconds": round(time.perf_counter() - begun, 2), "version": torch.__version__}


def load_peak() -> dict[str, Any]:
    """Of the bundled model: bytes at the peak, of the model, and kept beside it."""
    import mlx.core as mx  # noqa: PLC0415
    from mlx.utils import tree_flatten  # noqa: PLC0415

    from daemon.asr.mlx_backend.weights import load_model  # noqa: PLC0415
    from daemon.models.registry import BASE, find  # noqa: PLC0415

    mx.reset_peak_memory()
    model = load_model(find(BASE, "mlx", {}).folder)
    size = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
    return {
        "peak_bytes": mx.get_peak_memory(),
        "model_bytes": size,
        "cached_bytes": mx.get_cache_memory(),
    }


def aligner() -> dict[str, Any]:
    """Seconds for half a minute of audio through a network of the usual aligner's size."""
    import torch  # noqa: PLC0415
    import torchaudio  # noqa: PLC0415

    network = torchaudio.models.wav2vec2_base(aux_num_out=32).eval()
    audio = torch.zeros(1, _ALIGNED_SECONDS * 16_000)
    found: dict[str, Any] = {"audio_seconds": _ALIGNED_SECONDS}
    devices = ["cpu", *(["mps"] if torch.backends.mps.is_available() else [])]
    with torch.inference_mode():
        for device in devices:
            moved, samples = network.to(device), audio.to(device)
            moved(samples)  # the first run pays for the device's start
            begun = time.perf_counter()
            moved(samples)[0].cpu()
            found[device] = round(time.perf_counter() - begun, 2)
    return found


TRIALS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "torch_import": torch_import,
    "load_peak": load_peak,
    "aligner": aligner,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(TRIALS[sys.argv[1]]()) + "\n")
