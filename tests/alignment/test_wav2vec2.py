"""The oracles are transformers' Wav2Vec2ForCTC and torch's own operations."""

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

from daemon.alignment import kernels
from daemon.alignment.architecture import Architecture, UnsupportedArchitectureError
from daemon.alignment.checkpoint import normalise, read_folder
from daemon.alignment.feature_extractor import convolve, convolve_by_pairs
from daemon.alignment.positions import PositionalEmbedding
from daemon.alignment.threads import Threads
from daemon.alignment.torch_feature_extractor import convolve as torch_convolve
from daemon.alignment.torch_layers import convolve_as_product
from daemon.alignment.torch_wav2vec2 import TorchWav2Vec2
from daemon.alignment.viterbi import Spelling, best_paths
from daemon.alignment.wav2vec2 import Wav2Vec2, blocks
from daemon.alignment.words import Alphabet, read_script, spell
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.domain.transcript import Segment
from tests.kit.alignment_samples import DEMO, SHORT_SAMPLES, sentences
from tests.kit.recognition import audio_of

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
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
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
def test_the_number_of_threads_changes_nothing(large_style: bool) -> None:
    network = our_network(large_style)
    waveforms = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    expected = network(waveforms)
    network._threads = Threads(1)
    for alone, together in zip(network(waveforms), expected, strict=True):
        np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("frames", [1, 31, 500, 1500, 5000])
def test_every_thread_has_as_many_frames(frames: int, threads: int) -> None:
    cut = blocks(frames, threads)
    assert [row for block in cut for row in range(frames)[block]] == list(range(frames))
    sizes = {block.stop - block.start for block in cut}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 512
    assert len(cut) % threads == 0 or frames < 64 * threads, "one thread would wait for another"


@pytest.mark.parametrize("large_style", [False, True])
@pytest.mark.parametrize("device", ["mlx", "torch"])
def test_other_devices_give_the_same_emissions_and_the_same_path(
    large_style: bool, device: str
) -> None:
    network = our_network(large_style)
    waveforms = [noise(samples, seed) for seed, samples in enumerate(LENGTHS)]
    there = network.to("mlx") if device == "mlx" else through_torch(network)
    assert there.shortest == network.shortest
    for mine, theirs in zip(network(waveforms), there(waveforms), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
        np.testing.assert_array_equal(mine.argmax(axis=-1), theirs.argmax(axis=-1))


def through_torch(network: Wav2Vec2) -> TorchWav2Vec2:
    """Its form for GPUs, here on torch's CPU."""
    return TorchWav2Vec2(network._architecture, network._weights, "cpu")


@pytest.mark.parametrize("name", SHORT_SAMPLES)
def test_numpy_hears_what_torch_hears_in_every_sample(name: str) -> None:
    checkpoint = read_folder(DEMO)
    network = Wav2Vec2(checkpoint.architecture, checkpoint.weights)
    audio, segments = audio_of(name), sentences(name)
    times = [(int(s.start * SAMPLE_RATE), int(s.end * SAMPLE_RATE)) for s in segments]
    waveforms = [audio[start:end] for start, end in times]
    alphabet = Alphabet(checkpoint.alphabet, spaced=True)
    emissions = network(waveforms), through_torch(network)(waveforms)
    paths = [
        best_paths(
            [_spelling(s, one, alphabet) for s, one in zip(segments, found, strict=True)],
            alphabet.blank,
        )
        for found in emissions
    ]
    for mine, theirs, path, other in zip(*emissions, *paths, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
        assert path is not None
        assert other is not None
        assert (path.starts.tolist(), path.end) == (other.starts.tolist(), other.end)


def _spelling(segment: Segment, emission: FloatArray, alphabet: Alphabet) -> Spelling:
    return spell(read_script(segment.text, alphabet), emission, alphabet.blank)


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
    expected = functional.conv1d(signal.T[None], kernel.permute(2, 1, 0), stride=stride)[0].T
    torch.testing.assert_close(torch_convolve(signal, kernel, stride), expected)
    found = convolve(signal.numpy(), kernel.numpy(), stride)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if taps == 3 and stride == 2:
        ends = (kernel[0] + kernel[2]).numpy()
        found = convolve_by_pairs(signal.numpy(), kernel.numpy(), ends)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("rows", range(3, 20))
def test_a_convolution_by_pairs_is_torch_convolution(rows: int) -> None:
    random = torch.Generator().manual_seed(rows)
    signal = torch.randn(rows, 6, generator=random)
    kernel = torch.randn(3, 6, 5, generator=random)
    expected = functional.conv1d(signal.T[None], kernel.permute(2, 1, 0), stride=2)[0].T
    found = convolve_by_pairs(signal.numpy(), kernel.numpy(), (kernel[0] + kernel[2]).numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("taps", [4, 7])
@pytest.mark.parametrize("lengths", [[1], [3, 40], [200, 1, 13]])
def test_positions_through_fourier_transforms_are_torchs(taps: int, lengths: list[int]) -> None:
    random = torch.Generator().manual_seed(taps)
    weight, bias = torch.randn(12, 3, taps, generator=random), torch.randn(12, generator=random)
    hidden = torch.randn(sum(lengths), 12, generator=random)
    embed = PositionalEmbedding(weight.numpy(), bias.numpy(), groups=4)
    ends = np.cumsum(lengths).tolist()
    segments = list(zip([0, *ends], ends, strict=False))
    found = np.concatenate([embed(hidden.numpy(), piece) for piece in embed.pieces(segments)])
    expected = [
        functional.conv1d(hidden[a:b].T[None], weight, bias, padding=taps // 2, groups=4)
        for a, b in segments
    ]
    cut = torch.cat([one[0, :, : b - a].T for one, (a, b) in zip(expected, segments, strict=True)])
    np.testing.assert_allclose(found, functional.gelu(cut), atol=1e-4)


def test_a_gelu_is_torchs() -> None:
    values = np.concatenate([np.linspace(-12, 12, 100_001), [-1e30, -300, 300, 1e30]])
    x = values.astype(np.float32)
    expected = functional.gelu(torch.tensor(x, dtype=torch.float64))  # float32's differ by CPU
    np.testing.assert_allclose(kernels.gelu(x.copy()), expected, rtol=1e-6, atol=1e-6)


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
