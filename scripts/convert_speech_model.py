"""Make daemon/bundled/speech/silero.onnx from the file that faster-whisper ships.

    pip install onnx
    python scripts/convert_speech_model.py daemon/bundled/speech/silero.onnx

Needs the environment of dropscribe (faster-whisper) and onnx. The weights stay as they are. Silero
convolves each 32 ms by themselves; here, all of a call's are rows of a few large matrix products,
which take ONNX Runtime on a CPU a third of the time. The spectrum's real part is even in time and
its imaginary part is odd (the window is symmetric), so half of each product is enough.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SOURCE = "assets/silero_vad_v6.onnx"
SAMPLES = 576  # a frame of 512 and the end of the one before it
HOP, BINS, HIDDEN = 128, 129, 128
OPSET = 18

Array = NDArray[np.float32]
Node = Any  # onnx's classes, which have no types


class Graph:
    """Collects nodes and constants; every method returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: list[Node] = []

    def constant(self, value: Array | NDArray[np.int64]) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: str | int) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def part(self, values: str, start: int, end: int, axis: int, step: int = 1) -> str:
        bounds = ([start], [end], [axis], [step])
        return self.add("Slice", values, *(self.constant(np.array(b)) for b in bounds))

    def reshaped(self, values: str, *shape: int) -> str:
        return self.add("Reshape", values, self.constant(np.array(shape)))

    def layer(self, values: str, weight: Array, bias: Array) -> str:
        product = self.add("Gemm", values, self.constant(weight), self.constant(bias))
        return self.add("Relu", product)


def _magnitudes(graph: Graph, basis: Array) -> str:
    """Shape (frames, 4 * 129): the spectra of four overlapping windows of 256 samples."""
    pads = graph.constant(np.array([0, 0, 0, HOP // 2]))
    hops = graph.reshaped(graph.add("Pad", "input", pads, mode="reflect"), -1, 5, HOP)
    windows = graph.add("Concat", graph.part(hops, 0, 4, 1), graph.part(hops, 1, 5, 1), axis=2)
    early = graph.part(windows, 1, HOP, 2)
    late = graph.part(windows, 2 * HOP - 1, HOP, 2, step=-1)
    first, middle = graph.part(windows, 0, 1, 2), graph.part(windows, HOP, HOP + 1, 2)
    even = graph.add("Concat", first, graph.add("Add", early, late), middle, axis=2)
    odd = graph.add("Sub", early, late)
    real = graph.add("MatMul", even, graph.constant(basis[:BINS, : HOP + 1].T))
    imaginary = graph.add("MatMul", odd, graph.constant(basis[BINS:, 1:HOP].T))
    power = graph.add("Add", graph.add("Mul", real, real), graph.add("Mul", imaginary, imaginary))
    return graph.reshaped(graph.add("Sqrt", power), -1, 4 * BINS)


def _encoded(graph: Graph, magnitudes: str, weights: dict[str, Array]) -> str:
    """Shape (frames, 128): four convolutions of width 3, over 4, 4, 2 and 1 positions.

    Positions lie beside one another in a row; a product makes one or two of the next layer's.
    """

    def layer(index: int) -> tuple[Array, Array]:
        name = f"encoder.conv_layers.{index}"
        return weights[f"{name}.weight"].transpose(2, 1, 0), weights[f"{name}.bias"]

    (before, here, after), bias = layer(0)
    none = np.zeros_like(here)
    begin = np.block([[here, before], [after, here], [none, after]])
    end = np.block([[before, none], [here, before], [after, here]])
    halves = [(begin, graph.part(magnitudes, 0, 3 * BINS, 1))]
    halves += [(end, graph.part(magnitudes, BINS, 4 * BINS, 1))]
    hidden = graph.add(
        "Concat", *(graph.layer(part, weight, np.tile(bias, 2)) for weight, part in halves), axis=1
    )
    (before, here, after), bias = layer(1)
    halves = [(np.concatenate([here, after]), graph.part(hidden, 0, 2 * HIDDEN, 1))]
    halves += [(np.concatenate([before, here, after]), graph.part(hidden, HIDDEN, 4 * HIDDEN, 1))]
    hidden = graph.add(
        "Concat", *(graph.layer(part, weight, bias) for weight, part in halves), axis=1
    )
    (_, here, after), bias = layer(2)
    hidden = graph.layer(hidden, np.concatenate([here, after]), bias)
    (_, here, _), bias = layer(3)
    return graph.layer(hidden, here, bias)


def _decoded(graph: Graph, encoded: str, weights: dict[str, Array]) -> None:
    """The outputs: a probability a frame, and the memory of the LSTM."""
    sequence = graph.add("Unsqueeze", encoded, graph.constant(np.array([1])))
    names = ("onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211")
    given = [sequence, *(graph.constant(weights[name]) for name in names), "", "h", "c"]
    outputs = ["heard", "hn", "cn"]
    graph.nodes.append(helper.make_node("LSTM", given, outputs, hidden_size=HIDDEN))
    hidden = graph.add("Relu", graph.reshaped("heard", -1, HIDDEN))
    weight, bias = weights["decoder.conv1d.weight"][0], weights["decoder.conv1d.bias"]
    logit = graph.add("Gemm", hidden, graph.constant(weight), graph.constant(bias))
    shape = graph.constant(np.array([-1]))
    probability = graph.add("Sigmoid", logit)
    graph.nodes.append(helper.make_node("Reshape", [probability, shape], ["probability"]))


def main() -> None:
    """The argument: where the converted network goes."""
    found = importlib.util.find_spec("faster_whisper")
    assert found is not None
    assert found.origin is not None
    source = onnx.load(str(Path(found.origin).parent / SOURCE))
    weights = {one.name: numpy_helper.to_array(one) for one in source.graph.initializer}
    graph = Graph()
    basis = weights["encoder.feature_extractor.forward_basis_buffer"][:, 0]
    _decoded(graph, _encoded(graph, _magnitudes(graph, basis), weights), weights)

    def value(name: str, *shape: int | str) -> Node:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    memory = [(name, 1, 1, HIDDEN) for name in ("h", "c", "hn", "cn")]
    made = helper.make_graph(
        graph.nodes,
        "silero",
        [value("input", "frames", SAMPLES), *(value(*one) for one in memory[:2])],
        [value("probability", "frames"), *(value(*one) for one in memory[2:])],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=source.ir_version)
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[1])


if __name__ == "__main__":
    main()
