"""No accelerator is here: candidates and trials are injected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from daemon.alignment.checkpoint import read_folder
from daemon.alignment.device import Choices, Trial, accelerators, place, run_trial
from daemon.alignment.network import Network
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.audio import FloatArray
from daemon.models import hardware
from tests.kit.alignment_samples import DEMO

RIGHT: FloatArray = np.log(np.full((4, 3), 1 / 3, np.float32))
WRONG = RIGHT + np.float32(0.1)
BROKEN = np.full_like(RIGHT, np.nan)


class Elsewhere:
    """A network that remembers where it is."""

    shortest = 400

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def __call__(self, waveforms: object) -> list[FloatArray]:
        return [RIGHT]

    def to(self, device: str) -> Elsewhere:
        if device == "absent":
            raise RuntimeError("no such device")
        return Elsewhere(device)


@pytest.fixture
def choices(tmp_path: Path) -> Choices:
    return Choices(tmp_path / "devices.json")


def trials(on_accelerator: Trial) -> Callable[[Network], Trial]:
    def attempt(network: Network) -> Trial:
        assert isinstance(network, Elsewhere)
        return Trial(RIGHT, 1.0) if network.device == "cpu" else on_accelerator

    return attempt


@pytest.mark.parametrize(
    ("on_accelerator", "chosen"),
    [
        (Trial(RIGHT, 0.1), "mps"),
        (Trial(RIGHT + np.float32(1e-4), 0.1), "mps"),
        (Trial(RIGHT, 1.5), "cpu"),
        (Trial(WRONG, 0.1), "cpu"),
        (Trial(BROKEN, 0.1), "cpu"),
    ],
    ids=["right-and-faster", "nearly-the-same", "slower", "wrong", "not-a-number"],
)
def test_auto_takes_an_accelerator_only_if_it_is_right_and_faster(
    on_accelerator: Trial, chosen: str, choices: Choices
) -> None:
    network, device = place(
        Elsewhere(), "auto", "model", choices, lambda: ["mps"], trials(on_accelerator)
    )
    assert isinstance(network, Elsewhere)
    assert (network.device, device) == (chosen, chosen)


@pytest.mark.parametrize(
    ("error", "chosen"), [(1e-4, "mlx"), (5e-3, "cpu")], ids=["as-exact-as-torch", "less-exact"]
)
def test_mlx_must_be_as_exact_as_the_cpu(error: float, chosen: str, choices: Choices) -> None:
    trial = trials(Trial(RIGHT + np.float32(error), 0.1))
    assert place(Elsewhere(), "auto", "model", choices, lambda: ["mlx"], trial)[1] == chosen


def never(network: Network) -> Trial:
    raise AssertionError


def test_auto_without_accelerators_is_the_cpu_and_tries_nothing(choices: Choices) -> None:
    assert place(Elsewhere(), "auto", "model", choices, list, never)[1] == "cpu"
    assert choices.known("model") is None, "a GPU may come"


def test_auto_survives_a_device_that_cannot_run_the_network(choices: Choices) -> None:
    candidates, trial = ["absent", "mps"], trials(Trial(RIGHT, 0.1))
    assert place(Elsewhere(), "auto", "model", choices, lambda: candidates, trial)[1] == "mps"


@pytest.mark.parametrize("seconds", [0.1, 1.5], ids=["faster", "slower"])
def test_what_was_chosen_for_a_model_is_not_tried_again(choices: Choices, seconds: float) -> None:
    trial = trials(Trial(RIGHT, seconds))
    _, chosen = place(Elsewhere(), "auto", "model", choices, lambda: ["mps"], trial)
    network, device = place(Elsewhere(), "auto", "model", choices, never, never)
    assert isinstance(network, Elsewhere)
    assert (network.device, device) == (chosen, chosen)


def test_another_model_and_other_versions_are_tried_anew(
    choices: Choices, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices.keep("model", "mps")
    assert choices.known("model") == "mps"
    assert choices.known("another") is None
    monkeypatch.setattr("importlib.metadata.version", lambda name: "another")
    assert choices.known("model") is None


def test_a_device_that_was_chosen_and_is_gone_is_not_insisted_on(choices: Choices) -> None:
    choices.keep("model", "absent")
    assert place(Elsewhere(), "auto", "model", choices, lambda: ["absent"], never)[1] == "cpu"
    assert choices.known("model") == "cpu"


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_choices_that_cannot_be_read_are_made_anew(choices: Choices, content: str) -> None:
    choices.path.write_text(content)
    assert choices.known("model") is None
    choices.keep("model", "cpu")
    assert choices.known("model") == "cpu"


def test_choices_that_cannot_be_kept_are_no_error(tmp_path: Path) -> None:
    choices = Choices(tmp_path / "absent" / "devices.json")
    choices.keep("model", "mps")
    assert choices.known("model") is None


def test_a_machine_without_a_gpu_has_no_accelerator_and_needs_no_torch() -> None:
    if not (hardware.is_apple_silicon() or hardware.has_nvidia()):
        assert list(accelerators()) == []


def test_a_named_device_is_taken_without_a_check(choices: Choices) -> None:
    network, device = place(Elsewhere(), "mps", "model", choices)
    assert isinstance(network, Elsewhere)
    assert (network.device, device) == ("mps", "mps")


def test_the_check_runs_the_real_network_on_a_signal_that_never_changes() -> None:
    checkpoint = read_folder(DEMO)
    network = Wav2Vec2(checkpoint.architecture, checkpoint.weights)
    first, second = run_trial(network), run_trial(network.to("cpu"))
    np.testing.assert_allclose(first.log_probs, second.log_probs, atol=1e-4)
    assert first.seconds > 0
