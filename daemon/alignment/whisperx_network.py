"""WhisperX's own networks, for the models that are not plain wav2vec 2.0 (HuBERT, adapters, ...).

Correct and slow: its imports take ten seconds, and segments go through one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch

from daemon.alignment.network import HostNetwork
from daemon.alignment.threads import Threads
from daemon.audio import FloatArray


class WhisperXNetwork:
    """A model of `whisperx.load_align_model`; `kind` is its "type": torchaudio or huggingface."""

    shortest = 400  # samples, as whisperx.align has it

    def __init__(
        self, model: torch.nn.Module, kind: str, threads: Threads, device: str = "cpu"
    ) -> None:
        self._model = model.float().eval().to(device)
        self._kind = kind
        self._threads = threads
        self._device = device

    def to(self, device: str) -> WhisperXNetwork:
        return WhisperXNetwork(deepcopy(self._model), self._kind, self._threads, device)

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        torch.set_num_threads(self._threads.count)
        return [self._log_probs(waveform) for waveform in waveforms]

    def _log_probs(self, waveform: FloatArray) -> FloatArray:
        with torch.inference_mode():
            answer = self._model(torch.tensor(waveform, device=self._device)[None])
            logits = answer[0] if self._kind == "torchaudio" else answer.logits
            log_probs: FloatArray = torch.log_softmax(logits[0], dim=-1).cpu().numpy()
        return log_probs


def load_whisperx_network(
    language: str, name: str, threads: Threads
) -> tuple[HostNetwork, Mapping[str, int]]:
    """The network and its alphabet; `name` is a folder or a torchaudio bundle that is here."""
    from whisperx.alignment import load_align_model  # noqa: PLC0415, ten seconds

    model, metadata = load_align_model(language, "cpu", model_name=name, model_cache_only=True)
    return WhisperXNetwork(model, metadata["type"], threads), metadata["dictionary"]
