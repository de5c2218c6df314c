"""The oracles are transformers' Wav2Vec2ForCTC and torch's own convolution."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from daemon.alignment.architecture import Architecture, UnsupportedArchitectureError
from daemon.alignment.checkpoint import normalise, read_folder
from daemon.alignment.feature_extractor import convolve
from daemon.alignment.layers import convolve_as_product
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.audio import FloatArray
from tests.kit.alignment_samples import DEMO

SMALL = {
    "vocab_size": 32,
    "hidden_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
LARGE_STYLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
LENGTHS = (400, 719, 720, 5000, 16_001, 24_320)  # samples; 400 make one frame, 720 two


def noise(samples: int, seed: int = 0) -> FloatArray:
    return (np.random.default_rng(seed).normal(size=samples) * 0.1).astype(np.float32)


@cache
def transformers_model(large_style: bool) -> torch.nn.Module:
    """A random Wav2Vec2ForCTC in which no weight is 0 or 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Wav2Vec2Config, Wav2Vec2ForCTC  # noqa: PLC0415

        torch.manual_seed(0)
        model = Wav2Vec2ForCTC(Wav2Vec2Config(**SMALL, **(LARGE_STYLE if large_style else {})))
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    return model.eval()


@cache
def our_network(large_style: bool) -> Wav2Vec2:
    model = transformers_model(large_style)
    weights = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    return Wav2Vec2(Architecture.from_config(model.config.to_dict()), normalise(weights))


@pytest.mark.parametrize("large_style", [False, True])
@pytest.mark.parametrize("samples", LENGTHS)
def test_emissions_are_those_of_transformers(large_style: bool, samples: int) -> None:
    waveform = noise(samples)
    with torch.inference_mode():
        logits = transformers_model(large_style)(torch.from_numpy(waveform)[None]).logits[0]
    [emission] = our_network(large_style)([waveform])
    np.testing.assert_allclose(emission, torch.log_softmax(logits, dim=-1), atol=2e-4)


@pytest.mark.parametrize("large_style", [False, True])
def test_batching_changes_nothing(large_style: bool) -> None:
    network = our_network(large_style)
    waveforms = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    for waveform, together in zip(waveforms, network(waveforms), strict=True):
        [alone] = network([waveform])
        np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("large_style", [False, True])
def test_mlx_gives_the_same_emissions_and_the_same_path(large_style: bool) -> None:
    network = our_network(large_style)
    waveforms = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    through_mlx = network.to("mlx")
    assert through_mlx.to("mlx") is through_mlx
    assert through_mlx.shortest == network.shortest
    for mine, torchs in zip(through_mlx(waveforms), network(waveforms), strict=True):
        np.testing.assert_allclose(mine, torchs, atol=1e-3)
        np.testing.assert_array_equal(mine.argmax(axis=-1), torchs.argmax(axis=-1))


def test_zero_padding_would_change_a_group_norm_model() -> None:
    """Why segments are not padded to a common length."""
    waveform = noise(16_000)
    network = our_network(False)
    [alone], [padded] = network([waveform]), network([np.pad(waveform, (0, 16_000))])
    assert np.abs(padded[: len(alone)] - alone).max() > 0.01


@given(
    rows=st.integers(10, 60), taps=st.integers(1, 10), stride=st.integers(1, 5), seed=st.integers(0)
)
@settings(max_examples=50, deadline=None)
def test_a_convolution_by_products_is_torch_convolution(
    rows: int, taps: int, stride: int, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed % 2**63)
    signal = torch.randn(rows, 3, generator=random)
    kernel = torch.randn(taps, 3, 5, generator=random)
    expected = torch.nn.functional.conv1d(signal.T[None], kernel.permute(2, 1, 0), stride=stride)
    torch.testing.assert_close(convolve(signal, kernel, stride), expected[0].T)


def test_frames_are_counted_as_the_network_makes_them() -> None:
    network = read_folder(DEMO).architecture
    assert (network.hop, network.receptive_field) == (320, 400)
    assert [network.frames(samples) for samples in (400, 719, 720, 16_000)] == [1, 1, 2, 49]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "hubert"},
        {"model_type": "wav2vec2", "hidden_act": "relu"},
        {"model_type": "wav2vec2", "add_adapter": True},
        {"model_type": "wav2vec2", "adapter_attn_dim": 16},
    ],
)
def test_other_networks_are_told_apart(config: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedArchitectureError):
        Architecture.from_config(config)


@pytest.mark.parametrize("length", [1, 7, 40])
def test_a_convolution_as_a_product_is_torchs(length: int) -> None:
    numbers = torch.Generator().manual_seed(length)
    rows = torch.randn(1, 12, length, generator=numbers)
    weight, bias = torch.randn(8, 3, 6, generator=numbers), torch.randn(8, generator=numbers)
    expected = functional.conv1d(rows, weight, bias, padding=3, groups=4)
    torch.testing.assert_close(convolve_as_product(rows, weight, bias, 3, 4), expected)
