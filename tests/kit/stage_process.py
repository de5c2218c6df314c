"""A real stage process to speak to, as the daemon does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import FailureKind, Identity
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.protocol import (
    Message,
    MoreInput,
    Progress,
    Receipt,
    Request,
    parse_message,
    request_line,
)
from daemon.models import hardware


@dataclass
class StageProcess:
    """Its stdin and stdout; what it says besides goes to `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, request: Request | MoreInput) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(request_line(request))
        self.process.stdin.flush()

    def hear(self) -> Message:
        """The next message; what is none is an error, since stdout is guarded."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        message = parse_message(line)
        assert message is not None, line
        return message

    def receipt(self) -> Receipt:
        message = self.hear()
        while isinstance(message, Progress):
            message = self.hear()
        assert isinstance(message, Receipt)
        return message

    def work_on(self, request: Request) -> Receipt:
        """The receipt for the only request of a process that ends well."""
        self.hear()
        self.ask(request)
        receipt = self.receipt()
        assert self.close() == 0
        return receipt

    def close(self) -> int:
        """End its stdin; return how it ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


@contextmanager
def stage(command: Sequence[str], log: Path) -> Iterator[StageProcess]:
    environment = hardware.stage_environment({"PATH": "/usr/bin:/bin"})
    with (
        log.open("ab") as chatter,
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            env=environment,
            cwd=log.parent,  # the sandbox's only writable folder
        ) as process,
    ):
        try:
            yield StageProcess(process, log)
        finally:
            process.kill()


def request_for(source: Path, folder: Path, **changes: object) -> Request:
    """Lay a job's folder out for `source`, as it is now."""
    folder.mkdir(exist_ok=True)
    facts: dict[str, object] = {
        "source": source,
        "identity": Identity.of(source.lstat()),
        "language": None,
        "languages": (),
        "initial_prompt": None,
        "max_bytes": 10**9,
        "max_seconds": 3600.0,
    }
    JobRequest(**{**facts, **changes}).write(folder)  # type: ignore[arg-type]
    return Request(folder, "abc")


def failed(receipt: Receipt, kind: FailureKind) -> str:
    """The sentence of a receipt that must be of that kind."""
    assert receipt.kind is kind, receipt
    return receipt.message
