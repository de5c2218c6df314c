"""The peers' own Whisper models, holding the weights that ours holds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from daemon.asr.checkpoint import read_checkpoint
from daemon.asr.ctranslate2_backend.mlx_weights import read_weights
from daemon.audio import FloatArray

STOCK = "demo/loaded"  # what mlx_whisper takes for the name of the model that it holds

Transcribe = Callable[..., Mapping[str, Any]]


def stock_model(folder: Path) -> object:
    """mlx_whisper's own model, with the weights in the precision that ours has on this device."""
    import mlx.core as mx  # noqa: PLC0415 - one backend only
    from mlx_whisper import load_models  # noqa: PLC0415

    if mx.default_device() != mx.cpu:
        return load_models.load_model(str(folder), mx.float16)
    return expanded_model("mlx_whisper", folder)


def expanded_model(package: str, folder: Path) -> object:
    """The model of a package that is made like mlx_whisper, with the weights in float32."""
    import mlx.core as mx  # noqa: PLC0415 - one backend only
    from mlx.utils import tree_unflatten  # noqa: PLC0415

    whisper: Any = importlib.import_module(f"{package}.whisper")
    checkpoint = read_checkpoint(folder)
    model = whisper.Whisper(whisper.ModelDimensions(**asdict(checkpoint.dimensions)), mx.float32)
    weights = read_weights(checkpoint)
    model.update(tree_unflatten([(name, mx.array(array)) for name, array in weights.items()]))
    return model


def stock_transcribe(model: object) -> Transcribe:
    """mlx_whisper.transcribe, which now holds `model` and takes no other."""
    import mlx.core as mx  # noqa: PLC0415 - one backend only

    module = importlib.import_module("mlx_whisper.transcribe")
    module.ModelHolder.model, module.ModelHolder.model_path = model, STOCK
    return partial(module.transcribe, path_or_hf_repo=STOCK, fp16=mx.default_device() != mx.cpu)


def mlx_whisperx_transcribe(folder: Path) -> Transcribe:
    """mlx-whisperx's pipeline as shipped: Silero, batches of eight, then no alignment."""
    pipeline: Any = importlib.import_module("mlx_whisperx.pipeline")
    base = "mlx_whisperx.backend.mlx_whisper"
    _hold(f"{base}.transcribe", expanded_model(base, folder))
    options = pipeline.PipelineOptions(model=STOCK, no_align=True, fp16=False)
    transcribe: Transcribe = pipeline.MLXWhisperXPipeline(options).transcribe
    return transcribe


def vayu_transcribe(folder: Path) -> Transcribe:
    """vayu-whisper's transcribe, in batches of eight."""
    module = _hold("whisper_mlx.transcribe", expanded_model("whisper_mlx", folder))
    return partial(module.transcribe, path_or_hf_repo=STOCK, batch_size=8, fp16=False)


def _hold(module: str, model: object) -> Any:  # noqa: ANN401 - a peer's module
    """The peer's module, whose holder gives `model` whatever it is asked for."""
    peer: Any = importlib.import_module(module)
    peer.ModelHolder.get_model = classmethod(lambda *_, **__: model)
    return peer


def openai_transcribe(folder: Path) -> Transcribe:
    """openai/whisper's transcribe, with the MLX checkpoint in `folder`, in float32 on the CPU."""
    import torch  # noqa: PLC0415 - one peer only

    whisper: Any = importlib.import_module("whisper")
    checkpoint = read_checkpoint(folder)
    model = whisper.Whisper(whisper.ModelDimensions(**asdict(checkpoint.dimensions)))
    weights = dict(_openai(name, array) for name, array in read_weights(checkpoint).items())
    known = model.state_dict()  # its position buffer is not in ours, our alignment heads not there
    tensors = {name: torch.tensor(array) for name, array in weights.items() if name in known}
    model.load_state_dict(known | tensors)
    return partial(model.transcribe, fp16=False)


def _openai(name: str, array: FloatArray) -> tuple[str, FloatArray]:
    """A weight under openai/whisper's name: MLX keeps the taps of a convolution elsewhere."""
    if name.startswith("encoder.conv") and name.endswith("weight"):
        array = array.swapaxes(1, 2)
    return name.replace("mlp1", "mlp.0").replace("mlp2", "mlp.2"), array
