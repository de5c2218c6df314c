"""Who speaks when, on real conversations: ours beside senko's, and what ours costs.

    python scripts/speaker_errors.py [--senko PYTHON] [--hours HOURS]

PYTHON is that of an environment with senko and torchaudio (PyPI) in it; HOURS is the length of a
recording made by repetition, for the memory. Diarization error rates by NIST's rule with 0.25 s
around each border; CPU seconds a minute of audio, with one thread, without loading.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from daemon.audio import SAMPLE_RATE, FloatArray, Int16Array, Recording, to_int16
from daemon.diarization.clustering import Count
from daemon.diarization.diarizer import arrange, listen
from daemon.diarization.networks import Networks
from daemon.models import registry
from tests.kit import speakers
from tests.kit.speakers import Spoken

_RECORDINGS = (("dev00", "dev"), ("dev01", "dev"), ("sample", "sample"))
# Its own library of features needs a newer processor than many have: torchaudio computes the same.
_SENKO = """
import json, sys
from unittest import mock
import numpy as np, senko, soundfile, torch
from torchaudio.compliance.kaldi import fbank

torch.set_num_threads(1)

class Diarizer(senko.Diarizer):
    def _extract_fbank_features(self, audio, parts, *, sample_offset=0):
        if isinstance(audio, str):
            audio = soundfile.read(audio, dtype="float32")[0]
        found = []
        for start, end in parts:
            first = int(start * 16000) - sample_offset
            part = audio[first : first + int((end - start) * 16000)]
            part = np.pad(part, (0, max(0, 400 - len(part))))
            features = fbank(torch.from_numpy(part)[None], num_mel_bins=80, dither=0.0).numpy()
            found.append(features - features.mean(axis=0))
        lengths = np.array([len(features) for features in found])
        offsets = np.cumsum([0, *lengths[:-1]]) * 80
        return np.concatenate(found).ravel(), lengths, offsets, 80

with mock.patch("ctypes.CDLL"):
    diarizer = Diarizer(device="cpu", warmup=False, quiet=True)
del diarizer.fbank_extractor
for path in sys.argv[1:]:
    turns = diarizer.diarize(path)["merged_segments"]
    print(json.dumps([[one["start"], one["end"], one["speaker"]] for one in turns]))
"""

Answer = Callable[[str, FloatArray], list[Spoken]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--senko")
    parser.add_argument("--hours", type=float, default=0.0)
    given = parser.parse_args()
    networks = Networks(registry.BUNDLED / "speakers")
    systems: dict[str, Answer] = {"dropscribe": lambda _, audio: _ours(networks, audio)}
    if given.senko:
        systems["senko"] = lambda name, audio: _senko(given.senko, name, audio)
    for system, answer in systems.items():
        _table(system, answer)
    if given.hours:
        _long(networks, given.hours)


def _table(system: str, answer: Answer) -> None:
    wrong = spoken = seconds = cost = 0.0
    for name, truth in _RECORDINGS:
        audio = speakers.samples(speakers.FOLDER / f"{name}.flac")
        expected = speakers.truth(speakers.FOLDER / f"{truth}.rttm", name)
        begun = time.process_time()
        found = answer(name, audio)
        cost += time.process_time() - begun
        missed, said = speakers.errors(expected, found, len(audio) / SAMPLE_RATE)
        print(f"{system:12}{name:10}DER {missed / said:6.1%}")
        wrong, spoken, seconds = wrong + missed, spoken + said, seconds + len(audio) / SAMPLE_RATE
    print(f"{system:12}{'all':10}DER {wrong / spoken:6.1%}", end="")
    print(f", {cost / seconds * 60:.2f} s of CPU a minute" if system == "dropscribe" else "")


def _ours(networks: Networks, audio: FloatArray) -> list[Spoken]:
    heard = listen(
        lambda start, end: audio[start:end], len(audio), networks, Count(), lambda *_: None
    )
    turns, _ = arrange(heard, Count())
    return [(turn.start, turn.end, str(turn.speaker)) for turn in turns]


def _senko(python: str, name: str, audio: FloatArray) -> list[Spoken]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(to_int16(audio).tobytes())
        command = [python, "-c", _SENKO, str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [(start, end, str(who)) for start, end, who in json.loads(said.splitlines()[-1])]


def _long(networks: Networks, hours: float) -> None:
    """Conversations again and again, read from disk as the stage does."""
    parts = [speakers.samples(speakers.FOLDER / f"{name}.flac") for name, _ in _RECORDINGS]
    block = to_int16(np.concatenate(parts))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audio.npy"
        _save_repeated(path, block, max(1, round(hours * 3600 * SAMPLE_RATE / len(block))))
        recording = Recording(path)
        peaks: dict[int, float] = {}

        def progress(done: float, _: float) -> None:
            peaks.setdefault(int(done // 600), _peak())

        begun = time.process_time()
        heard = listen(recording.read, len(recording), networks, Count(), progress)
        _, voices = arrange(heard, Count())
    cost = (time.process_time() - begun) / (len(recording) / SAMPLE_RATE) * 60
    shown = ", ".join(f"{10 * at} min {peak:.0f} MB" for at, peak in sorted(peaks.items())[::6])
    print(f"{hours:g} h: {len(voices)} voices, {cost:.2f} s of CPU a minute, peak memory: {shown},")
    print(f"at the end {_peak():.0f} MB")


def _save_repeated(path: Path, block: Int16Array, times: int) -> None:
    """As an .npy, written piece by piece: this is not to count as the memory of the stage."""
    header = {"descr": "<i2", "fortran_order": False, "shape": (times * len(block),)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(times):
            file.write(block.tobytes())


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
