"""The two networks, in ONNX: who is active in a window, and what a voice sounds like.

pyannote segmentation-3.0 (MIT; Plaquet and Bredin, Interspeech 2023) and CAM++ (Apache-2.0; Wang
et al., Interspeech 2023), converted by scripts/convert_speaker_models.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.features import log_mel

SEGMENTATION = "segmentation.onnx"
VOICE = "voice.onnx"

WINDOW = 10 * SAMPLE_RATE  # samples that the segmentation network looks at
FRAMES = 589  # its answers a window
FRAME_SECONDS = WINDOW / SAMPLE_RATE / FRAMES
LOCAL = 3  # voices that it tells apart within a window
SIZE = 192  # numbers that describe a voice
LONGEST_VOICE = 2.0  # seconds that the voice network may hear at a time: CAM++'s context segment

# The network answers with the set of active voices: nobody, a voice, or two voices.
_SETS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)


class Networks:
    """Both networks, loaded once. `threads` is how many processor threads a call may use."""

    FILES = (SEGMENTATION, VOICE)

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3

        def session(name: str) -> onnxruntime.InferenceSession:
            path = str(folder / name)
            return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

        self._segmentation = session(SEGMENTATION)
        self._voice = session(VOICE)

    def activities(self, windows: FloatArray) -> FloatArray:
        """The probability of each local voice in windows of 160,000 samples.

        Shapes (windows, 160000) and (windows, 589, 3).
        """
        (logs,) = self._segmentation.run(None, {"audio": windows[:, None]})
        return np.asarray(np.exp(logs) @ _SETS, np.float32)

    def voice(self, audio: FloatArray) -> FloatArray:
        """The voice in 0.1 to 2 s of audio, as a unit vector of 192."""
        features = log_mel(audio)
        features -= features.mean(axis=0, keepdims=True)
        ((vector,),) = self._voice.run(None, {"features": features[None]})
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
