"""A lender that sleeps instead of transcribing, as long as its recordings' bytes say: a child.

It speaks the cluster's protocol (cluster/wire.py) on stdin and stdout, takes two recordings at a
time and works on one. What it costs is little, so that many fit on one machine.

    python -m daemon.bench.sleeping_lender BYTES_A_SECOND LOG

LOG gets a line for each recording: seconds that it had room for another and none was offered.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import sys
import threading
import time
from pathlib import Path

from daemon import __version__
from daemon.cluster import wire

PLACES = 2  # recordings that a worker takes at a time
_ROOMY = 1 << 40  # bytes of memory: enough for any model


class SleepingLender:
    def __init__(self, bytes_a_second: float, log: Path) -> None:
        self._rate = bytes_a_second
        self._log = log
        self._output = os.fdopen(os.dup(1), "wb")
        self._writing = threading.Lock()
        self._digests: dict[str, hashlib._Hash] = {}
        self._sizes: dict[str, int] = {}
        self._whole: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._roomy_since: float | None = None

    def serve(self) -> None:
        frames = wire.frames(sys.stdin.buffer)
        settings = next(frames)[0]["settings"]
        about = {"version": __version__, "places": PLACES, "free_bytes": _ROOMY}
        stock = {"models": [settings["transcribe"]["model"]], "aligners": []}
        self._send({"hello": wire.PROTOCOL} | about | stock)
        for work in (self._beat, self._work):
            threading.Thread(target=work, daemon=True).start()
        for head, data in frames:
            self._take(head, data)

    def _take(self, head: dict[str, object], data: bytes) -> None:
        nonce = str(next(iter(head.values())))
        if "offer" in head:
            self._note_gap()
            self._digests[nonce], self._sizes[nonce] = hashlib.sha256(), 0
            self._send({"have": nonce, "bytes": 0})
        elif "data" in head:
            self._digests[nonce].update(data)
            self._sizes[nonce] += len(data)
        elif "whole" in head:
            self._send({"at_work": nonce})
            self._whole.put((nonce, self._digests.pop(nonce).hexdigest()))

    def _note_gap(self) -> None:
        if self._roomy_since is not None:
            with self._log.open("a") as log:
                log.write(f"{time.monotonic() - self._roomy_since:.4f}\n")
            self._roomy_since = None

    def _work(self) -> None:
        while True:
            nonce, sha256 = self._whole.get()
            size = self._sizes.pop(nonce)
            seconds = size / self._rate
            time.sleep(seconds)
            for name, artefact in _artefacts(sha256, size, seconds).items():
                data = json.dumps({"nonce": nonce} | artefact).encode()
                self._send({"file": nonce, "name": name}, data)
            report = {"stages": [], "audio_seconds": seconds}
            self._send({"result": nonce, "report": report})
            self._roomy_since = time.monotonic()

    def _beat(self) -> None:
        while True:
            time.sleep(wire.BEAT_SECONDS)
            self._send({"beat": 1})

    def _send(self, head: dict[str, object], data: bytes = b"") -> None:
        with self._writing:
            self._output.write(wire.encode(head, data))
            self._output.flush()


def _artefacts(sha256: str, size: int, seconds: float) -> dict[str, dict[str, object]]:
    """What stages would have written: one segment of two words."""
    times = ((0.0, seconds / 3), (seconds / 2, seconds))
    words = [
        {"word": word, "start": start, "end": end, "score": 0.9, "source": "aligned"}
        for word, (start, end) in zip(("sleeping", "here"), times, strict=True)
    ]
    segment = {"id": 0, "start": 0.0, "end": seconds, "text": "sleeping here"}
    doubts = {"avg_logprob": -0.1, "no_speech_prob": 0.01}
    made = {"backend": "none", "device": "none", "model": "none", "model_revision": "0"}
    return {
        "prepared.json": {
            **{"sha256": sha256, "bytes": size, "duration": seconds, "container": "wav"},
            **{"codec": "pcm", "recorded_at": None, "warnings": [], "speech": [[0.0, seconds]]},
        },
        "alignment.json": {
            "status": "complete",
            "reason": "",
            "model": "none",
            "words": {0: words},
        },
        "transcript.json": {
            **{"language": "en", "language_probability": 1.0, "segments": [segment | doubts]},
            **made,
            "versions": {},
        },
    }


if __name__ == "__main__":
    SleepingLender(float(sys.argv[1]), Path(sys.argv[2])).serve()
    os._exit(0)  # whatever its threads are about to say: nobody is there to hear it
