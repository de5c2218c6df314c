"""The same numbers as mlx_whisper, for every layout."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_unflatten
from mlx_whisper import whisper
from mlx_whisper.audio import log_mel_spectrogram
from numpy.typing import NDArray

from daemon.asr.checkpoint import Dimensions, Quantization, read_checkpoint
from daemon.asr.ctranslate2_backend.mlx_weights import read_weights
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.weights import load_model, quantised_pays
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import INT16_STEP, FloatArray, to_int16
from daemon.errors import DropscribeError
from tests.kit.recognition import audio_of
from tests.kit.tiny_whisper import dimensions, write_checkpoint

LAYOUTS = {
    "v2, fp16, safetensors": (dimensions(51865, 80), None, False),
    "v2, fp16, npz": (dimensions(51865, 80), None, True),
    "v3, fp16": (dimensions(51866, 128), None, False),
    "turbo, 4 bit": (dimensions(51866, 128), Quantization(64, 4), False),
    "v3, 8 bit, npz": (dimensions(51866, 128), Quantization(64, 8), True),
    "English only, 4 bit": (dimensions(51864, 80), Quantization(32, 4), False),
}

IntArray = NDArray[np.int32]
Layout = tuple[Dimensions, Quantization | None, bool]


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS.keys())
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    size, quantization, npz = request.param
    return write_checkpoint(tmp_path / "model", size, quantization=quantization, npz=npz)


def _mlx_whisper(folder: Path) -> whisper.Whisper:
    """mlx_whisper's own model with the weights in float32, as ours has them on a CPU."""
    checkpoint = read_checkpoint(folder)
    model = whisper.Whisper(whisper.ModelDimensions(**asdict(checkpoint.dimensions)), mx.float32)
    weights = [(name, mx.array(array)) for name, array in read_weights(checkpoint).items()]
    model.update(tree_unflatten(weights))
    return model


def _tokens(vocabulary: Vocabulary) -> list[int]:
    begin = vocabulary.timestamp_begin
    return [*vocabulary.prompt("en", None), begin + 3, 400, 500, begin + 70]


def test_every_layout_gives_the_logits_of_mlx_whisper(checkpoint: Path) -> None:
    ours, theirs = load_model(checkpoint), _mlx_whisper(checkpoint)
    mel = mx.random.normal((1, 3000, ours.dimensions.n_mels), key=mx.random.key(5))
    tokens = mx.array([_tokens(Vocabulary(ours.dimensions))])

    def cache_update(_: int, kv: mx.array) -> mx.array:
        return kv

    heard = ours.encoder(mel)
    positions = mx.arange(tokens.shape[1])[None]
    hidden = ours.decoder(
        tokens, positions, cache_update, "causal", ours.decoder.keys_values(heard)
    )
    np.testing.assert_allclose(np.array(heard), np.array(theirs.encoder(mel)), atol=2e-4)
    expected = theirs.decoder(tokens, theirs.encoder(mel))[0]
    np.testing.assert_allclose(np.array(ours.decoder.logits(hidden)), np.array(expected), atol=2e-3)


def test_steps_give_what_one_pass_over_the_whole_transcript_gives(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", dimensions())
    model, theirs = load_model(folder), _mlx_whisper(folder)
    vocabulary = Vocabulary(model.dimensions)
    engine = Engine(model, vocabulary)
    audio = audio_of("memo-10s")
    prompts = [vocabulary.prompt(language, None) for language in ("en", "de")]
    rows = engine.begin(engine.encode([audio, audio[:80_000]]), prompts, [0.0, 0.0], [(0, 0)] * 2)
    transcript = [np.array(rows.scalars["last"])]
    for _ in range(70):  # further than the first block of keys and values reaches
        rows.grow(len(transcript) + len(prompts[0]) + 1)
        engine.step(rows, sample=False)
        transcript.append(np.array(rows.scalars["last"]))
    tokens = np.concatenate([np.array(prompts), np.stack(transcript, axis=1)], axis=1)
    mel = log_mel([audio, audio[:80_000]], 80)
    logits = np.array(theirs.decoder(mx.array(tokens[:, :-1]), theirs.encoder(mel))[0])
    for row in range(len(prompts)):
        for step in range(1, len(transcript)):
            _assert_best(vocabulary, logits[row, len(prompts[0]) + step - 1], tokens[row], step)


def _assert_best(vocabulary: Vocabulary, logits: FloatArray, row: IntArray, step: int) -> None:
    """The token sampled at `step` is the best of its kind, text or timestamp, as far as allowed."""
    transcript = row[len(vocabulary.prompt("en", None)) :]
    sampled, begin = int(transcript[step]), vocabulary.timestamp_begin
    if sampled >= begin:
        earliest = max(transcript[:step])
        assert logits[sampled] >= logits[earliest + 1 :].max() - 1e-3
    elif sampled != vocabulary.eot:
        logits[list(vocabulary.never)] = -np.inf
        assert logits[sampled] >= logits[:begin].max() - 1e-3


def test_chunks_have_the_spectrogram_that_mlx_whisper_gives_them() -> None:
    chunks: list[FloatArray] = [audio_of("memo-10s"), audio_of("meeting-60s")[:480_000]]
    ours = np.array(log_mel(chunks, 80))
    for row, chunk in zip(ours, chunks, strict=True):
        padded = np.pad(chunk, (0, 480_000 - len(chunk)))
        np.testing.assert_allclose(row, np.array(log_mel_spectrogram(padded, 80)), atol=1e-5)


def test_a_spectrogram_of_audio_as_it_lies_on_disk_is_that_of_the_same_in_float32() -> None:
    stored = to_int16(audio_of("meeting-60s")[:80_000])
    floats = np.asarray(stored * INT16_STEP, np.float32)
    ours = np.array(log_mel([stored, stored[:900], floats], 80))
    np.testing.assert_array_equal(ours, np.array(log_mel([floats, floats[:900], floats], 80)))


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", dimensions())
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"n_text_layer": 2', '"n_text_layer": 3'))
    with pytest.raises(DropscribeError, match=r"do not fit its config\.json"):
        load_model(folder)


def test_torn_weights_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", dimensions())
    (folder / "weights.safetensors").write_bytes(b"torn off")
    with pytest.raises(DropscribeError, match="cannot be read"):
        load_model(folder)


def test_whether_quantised_weights_pay_is_measured_once() -> None:
    quantised_pays.cache_clear()
    quantization = Quantization(64, 4)
    assert quantised_pays(256, quantization) == quantised_pays(256, quantization)
    assert quantised_pays.cache_info().misses == 1


def test_quantised_weights_that_no_kernel_can_be_compiled_for_are_expanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> mx.array:
        raise RuntimeError("Failed to compile kernel")

    quantised_pays.cache_clear()
    monkeypatch.setattr(mx, "quantized_matmul", refuse)
    assert not quantised_pays(256, Quantization(64, 4))
    quantised_pays.cache_clear()
