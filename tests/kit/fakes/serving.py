"""A stage on the real serving side, whose handler does what the job's `language` says."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

from daemon.domain.job import FailureKind
from daemon.errors import UsageError
from daemon.handoff.artefacts import JobRequest
from daemon.stages.serve import Channel, Handler, StageError, serve


def _handler() -> Handler:
    print("noise of an import")

    def handle(channel: Channel) -> None:
        print("noise of the work")
        os.write(1, b"noise of a C library\n")
        subprocess.run([sys.executable, "-c", "print('noise of a child')"], check=True)
        match JobRequest.read(channel.request.folder).language:
            case "bad":
                raise StageError(FailureKind.BAD_INPUT, "this is no recording")
            case "settings":
                raise UsageError("set it right")
            case "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            case "odd":
                raise ValueError("odd")
            case "waits":
                while not channel.complete:
                    channel.wait_for_more()
            case "listens":
                _listen(channel)
            case _:
                for done in range(1000):
                    channel.progress(done, 1000.0)

    return handle


def _listen(channel: Channel) -> None:
    while not channel.alone:
        time.sleep(0.01)
        channel.listen()


if __name__ == "__main__":
    serve(_handler)
