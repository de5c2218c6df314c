"""How fast and how exact our word aligner is, beside stock `whisperx.align` on the same machine.

Run from the repository's root:

    python -m scripts.bench_align imports          CPU seconds and memory of fresh processes
    python -m scripts.bench_align lecture          the bundled model, the 12-minute lecture
    python -m scripts.bench_align base             95 million random weights, the same lecture
    python -m scripts.bench_align after            from the last segment to the words, in real jobs

Both sides get the same segments (the lecture's sentences), the same model and the same threads,
and run in turn; medians are printed. NLTK's splitter, which needs a download, is replaced on
WhisperX's side by one that returns the whole segment. On a busy machine, `--clock cpu --threads 1`
counts the CPU seconds of one thread instead of wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from daemon.alignment.aligner import Aligner
from daemon.alignment.model import load_align_model
from daemon.alignment.network import HostNetwork, Network
from daemon.alignment.threads import Threads, cores
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.bench import synthetic
from daemon.config import file as config_file
from daemon.domain.transcript import Segment
from daemon.models.demo import for_demo
from daemon.stages import blas
from tests.kit.alignment_samples import (
    DEMO,
    sentences,
    whisperx_alignment,
)
from tests.kit.recognition import audio_of

LECTURE = "lecture-12min"


Clock = Callable[[], float]  # seconds: time.perf_counter or time.process_time


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long one alignment took, and how much of it the network's forward passes."""

    total: float
    forward: float

    @property
    def rest(self) -> float:
        return self.total - self.forward


class TimedNetwork:
    """Our network, with a stopwatch."""

    def __init__(self, network: HostNetwork, clock: Clock) -> None:
        self._host = network
        self._network: Network = network
        self._clock = clock
        self.shortest = network.shortest
        self.seconds = 0.0

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        began = self._clock()
        emissions = self._network(waveforms)
        self.seconds += self._clock() - began
        return emissions

    def to(self, device: str) -> TimedNetwork:
        self._network = self._host.to(device)
        return self


# What is measured in processes of their own.
PROGRAMS = {
    "import torch": "import torch",
    "import whisperx.alignment": "import whisperx.alignment",
    "our aligner, its imports": "import daemon.alignment.aligner",
    "our aligner, its model loaded": f"""
from daemon.alignment.aligner import Aligner
Aligner.load("en", {str(DEMO)!r}, "cpu")""",
    "the same with torch's network": f"""
from daemon.alignment.model import load_align_model
from daemon.alignment.torch_wav2vec2 import TorchWav2Vec2
host = load_align_model("en", {str(DEMO)!r}).network
TorchWav2Vec2(host._architecture, host._weights, "cpu")""",
}
_USED = """
import time
import psutil
print(time.process_time(), psutil.Process().memory_info().rss)"""


def used(program: str) -> tuple[float, float]:
    """CPU seconds of a fresh process that runs `program`, and the megabytes that it holds then."""
    command = [sys.executable, "-c", program + _USED]
    answer = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return float(answer[-2]), float(answer[-1]) / 1e6


@dataclass(frozen=True, slots=True)
class Task:
    """What both sides have to do."""

    model: Path
    audio: FloatArray
    segments: Sequence[Segment]
    device: str
    clock: Clock
    threads: int


def time_ours(task: Task) -> Callable[[], Seconds]:
    """A stopwatch for our aligner, its model loaded."""
    model = load_align_model("en", str(task.model), threads=Threads(task.threads))
    network = TimedNetwork(model.network, task.clock)
    aligner = Aligner(replace(model, network=network), task.device)

    def run() -> Seconds:
        network.seconds, began = 0.0, task.clock()
        aligner.align(task.audio, task.segments)
        return Seconds(task.clock() - began, network.seconds)

    return run


def time_whisperx(task: Task) -> Callable[[], Seconds]:
    """A stopwatch for `whisperx.align`, its model loaded."""
    whisperx = whisperx_alignment()
    model, metadata = whisperx.load_align_model("en", task.device, model_name=str(task.model))
    transcript = [{"start": s.start, "end": s.end, "text": s.text} for s in task.segments]
    forward = 0.0

    def timed_model(waveform: torch.Tensor) -> object:
        nonlocal forward
        began = task.clock()
        answer = model(waveform)
        if waveform.is_cuda:
            torch.cuda.synchronize()
        forward += task.clock() - began
        return answer

    def run() -> Seconds:
        nonlocal forward
        forward, began = 0.0, task.clock()
        whisperx.align(transcript, timed_model, metadata, task.audio, task.device)
        return Seconds(task.clock() - began, forward)

    return run


def compare(task: Task, repeats: int) -> None:
    """Print both sides' seconds and their ratios; the first run of each warms up."""
    stopwatches = time_ours(task), time_whisperx(task)
    runs = [[stopwatch() for stopwatch in stopwatches] for _ in range(repeats + 1)][1:]
    for part in ("total", "forward", "rest"):
        ours, theirs = (median(getattr(run[side], part) for run in runs) for side in (0, 1))
        print(f"{part:8} ours {ours:8.3f} s  whisperx {theirs:8.3f} s  {theirs / ours:6.2f} times")


def lecture(model: Path, minutes: float, device: str, clock: Clock, threads: int) -> Task:
    """The first `minutes` of the lecture."""
    segments = [one for one in sentences(LECTURE) if one.end <= minutes * 60]
    audio = audio_of(LECTURE)[: int(segments[-1].end * SAMPLE_RATE)]
    return Task(model, audio, segments, device, clock, threads)


def write_base_model(folder: Path) -> Path:
    """wav2vec2-base with random weights and the bundled model's alphabet."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC  # noqa: PLC0415, slow

    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=51)).save_pretrained(folder)
    for name in ("vocab.json", "tokenizer_config.json", "preprocessor_config.json"):
        (folder / name).write_bytes((DEMO / name).read_bytes())
    return folder


def seconds_after(recording: Path, folder: Path, cold: bool = False) -> float:
    """Seconds from a recording's last segment to its words, as timing.json of a real job tells.

    `cold`: the same recording again, by an aligner that starts when the segments are there.
    """
    config = for_demo(folder, "ctranslate2", str(synthetic.WHISPER), str(synthetic.ALIGNER))
    config_file.save(config, folder / "config.toml")
    config.paths.inbox.mkdir(exist_ok=True)
    outbox = folder / "again" if cold else config.paths.outbox
    if not cold:
        shutil.copy(recording, config.paths.inbox)
    verb = ["realign", recording.name, "-o", str(outbox)] if cold else ["run", "--once"]
    command = [sys.executable, "-m", "daemon", "--config", str(folder / "config.toml"), *verb]
    subprocess.run(command, check=True, capture_output=True)
    timing = json.loads((outbox / f"{recording.stem}.timing.json").read_bytes())
    return float(timing["stages"]["align"]["seconds"])


def print_after(task: Task) -> None:
    """The lecture beside whisperx.align; the memo with a child that is warm and one that is not."""
    audio = Path("tests/audio")
    with tempfile.TemporaryDirectory() as folder:
        ours = seconds_after(audio / f"{LECTURE}.m4a", Path(folder))
        theirs = time_whisperx(task)().total
        print(f"lecture  ours {ours:6.2f} s  whisperx.align {theirs:6.2f} s  1/{theirs / ours:.0f}")
        warm = seconds_after(audio / "memo-10s.wav", Path(folder))
        cold = seconds_after(audio / "memo-10s.wav", Path(folder), cold=True)
        print(f"memo     warm {warm:6.2f} s  cold {cold:6.2f} s  {cold / warm:.1f} times")


def print_imports(repeats: int) -> None:
    for name, program in PROGRAMS.items():
        seconds, megabytes = zip(*(used(program) for _ in range(repeats)), strict=True)
        print(f"{name:30} {median(seconds):6.2f} CPU s {median(megabytes):6.0f} MB")


def start_again_with_blas_on_one_core() -> None:
    """As the aligner's own process does it, before numpy is loaded."""
    if any(os.environ.get(name) != "1" for name in blas.VARIABLES):
        blas.keep_on_one_core()
        os.execv(sys.executable, [sys.executable, "-m", "scripts.bench_align", *sys.argv[1:]])


def main() -> None:
    start_again_with_blas_on_one_core()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["imports", "lecture", "base", "after"])
    parser.add_argument("--minutes", type=float, default=13.0, help="of the lecture")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    if arguments.what == "imports":
        print_imports(arguments.repeats)
    else:
        with tempfile.TemporaryDirectory() as folder:
            model = write_base_model(Path(folder)) if arguments.what == "base" else DEMO
            task = lecture(model, arguments.minutes, arguments.device, clock, arguments.threads)
            if arguments.what == "after":
                print_after(task)
            else:
                compare(task, arguments.repeats)


if __name__ == "__main__":
    main()
