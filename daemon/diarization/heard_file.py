"""What the networks heard, on disk: about 2 MB for an hour of speech."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from daemon.diarization.networks import FRAMES, LOCAL, SIZE, WINDOW
from daemon.diarization.windows import Heard, Stretch


def save(path: Path, heard: Heard) -> None:
    """Write it atomically. Raises OSError."""
    stretches = heard.stretches
    spans = [sample for stretch in stretches for sample in stretch.samples]
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(
                file,
                length=np.array(heard.length),
                window=np.array(WINDOW),
                active=np.packbits(np.array(heard.active, np.bool_)),
                windows=np.array(len(heard.active)),
                stretches=np.array(
                    [
                        (stretch.window, stretch.voice, len(stretch.samples))
                        for stretch in stretches
                    ],
                    np.int32,
                ).reshape(-1, 3),
                spans=np.array([(stretch.start, stretch.end) for stretch in stretches]).reshape(
                    -1, 2
                ),
                samples=np.array(spans).reshape(-1, 2),
                even=np.array([even for stretch in stretches for even in stretch.even], np.bool_),
                embeddings=np.concatenate(
                    [np.zeros((0, SIZE)), *(stretch.embeddings for stretch in stretches)]
                ).astype(np.float16),
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> Heard:
    """Raises OSError, ValueError or KeyError if it is not there, broken or of other windows."""
    with np.load(path, allow_pickle=False) as file:
        if int(file["window"]) != WINDOW:
            raise ValueError("its windows are of another length")
        shape = (int(file["windows"]), FRAMES, LOCAL)
        active = np.unpackbits(file["active"], count=int(np.prod(shape))).astype(np.bool_)
        heard = Heard(int(file["length"]), list(active.reshape(shape)))
        samples, embeddings = file["samples"], file["embeddings"].astype(np.float32)
        even = file["even"].tolist()
        at = 0
        for (window, voice, count), (start, end) in zip(
            file["stretches"].tolist(), file["spans"].tolist(), strict=True
        ):
            part = slice(at, at + count)
            spans = tuple((float(first), float(last)) for first, last in samples[part])
            heard.stretches.append(
                Stretch(window, voice, start, end, spans, embeddings[part], tuple(even[part]))
            )
            at += count
        return heard
