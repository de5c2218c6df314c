"""A stand-in for launchd, because the real one runs on a Mac only. Written from launchd.plist(5)
and launchctl(1) of macOS 26, and from what has been measured of its unwritten habits:

- `bootout` answers before the program is gone; then for 5 s `bootstrap` answers 5 (EIO);
- SIGTERM to the program alone, SIGKILL after ExitTimeOut, whose real default is 5 s, not 20;
- once it is dead, SIGTERM to what is left of its process group, and to nobody else;
- a log or working folder that is not there: status 78, and not one line is run;
- `kickstart -k` is a SIGKILL;
- eight environment variables and a PATH of four folders;
- a ProcessType other than Interactive or Adaptive runs with less priority (here: nice), and so do
  its children; how much slower the GPU is then, nobody knows for sure, and the fake does not say.

Started as `python launchd.py FOLDER --uid 501 --scale 0.05`, it listens on FOLDER/socket for one
JSON list of launchctl arguments a connection. Every time is multiplied by `--scale`.
Not modelled: resource limits, session types but Aqua, Mach services, timers, sockets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import plistlib
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from launchd_job import Job, gate

EIO_SECONDS = 5.0
Answer = tuple[int, str]


@dataclass
class Launchd:
    folder: Path
    uid: int
    scale: float
    jobs: dict[str, Job] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)  # label -> when its EIO window ends

    def answer(self, arguments: list[str]) -> Answer:
        """One launchctl command: its exit code and its text."""
        domain = f"gui/{self.uid}"
        match [argument.removeprefix(f"{domain}/") for argument in arguments]:
            case ["bootstrap", target, path] if target == domain:
                return self.bootstrap(Path(path))
            case ["bootout" | "enable" | "disable" | "print" as verb, label] if "/" not in label:
                return getattr(self, verb)(label)
            case ["kickstart", *options, label] if "/" not in label:
                return self.kickstart(label, kill="-k" in options)
            case ["kill", name, label] if "/" not in label:
                return self.kill(label, signal.Signals[name])
        return 125, "Domain does not support specified action"

    def bootstrap(self, path: Path) -> Answer:
        if code := gate(path):
            return code, f"Bootstrap failed: {code}"
        plist = plistlib.loads(path.read_bytes())
        label = plist["Label"]
        held = self.released.get(label, 0) > time.monotonic()
        if held or label in self.jobs or label in self.disabled:
            return 5, "Bootstrap failed: 5: Input/output error"
        wanted = bool(plist.get("KeepAlive") or plist.get("RunAtLoad"))
        self.jobs[label] = Job(plist, self.scale, wanted)
        return 0, ""

    def bootout(self, label: str) -> Answer:
        job = self.jobs.get(label)
        if job is None:
            return 3, "Boot-out failed: 3: No such process"
        if job.leaving:
            return 36, "Boot-out failed: 36: Operation now in progress"
        job.leaving = True
        job.terminate()
        return 0, ""

    def kickstart(self, label: str, *, kill: bool) -> Answer:
        job = self.jobs.get(label)
        if job is None:
            return 113, "Could not find service"
        if job.leaving:
            return 37, "Operation already in progress"
        if kill and job.process:
            job.process.kill()
            self.bury(label, job)
        if job.process is None:
            self.spawn(label, job)
        return 0, ""

    def kill(self, label: str, number: signal.Signals) -> Answer:
        job = self.jobs.get(label)
        if job is None or job.process is None:
            return 3, "No process to signal"
        job.process.send_signal(number)
        return 0, ""

    def print(self, label: str) -> Answer:
        """The text is no interface, so a program that reads it is found out."""
        if label in self.jobs:
            return 0, "pid = 1, state = not what you think"
        return 113, "Could not find service"

    def enable(self, label: str) -> Answer:
        return self.remember_disabled(self.disabled - {label})

    def disable(self, label: str) -> Answer:
        return self.remember_disabled(self.disabled | {label})

    @property
    def disabled(self) -> set[str]:
        with contextlib.suppress(FileNotFoundError):
            return set(json.loads((self.folder / "disabled.json").read_text()))
        return set()

    def remember_disabled(self, labels: set[str]) -> Answer:
        """On disk, because it outlives a reboot."""
        (self.folder / "disabled.json").write_text(json.dumps(sorted(labels)))
        return 0, ""

    def tick(self) -> None:
        """What happens by itself: deaths, restarts, SIGKILL, the end of a bootout."""
        for label, job in list(self.jobs.items()):
            if job.has_ended():
                self.bury(label, job)
            if job.leaving and job.process is None:
                del self.jobs[label]
                self.released[label] = time.monotonic() + EIO_SECONDS * self.scale
            elif job.leaving and job.process and job.overdue():
                job.process.kill()
            elif job.wanted and job.process is None and job.rested():
                self.spawn(label, job)

    def spawn(self, label: str, job: Job) -> None:
        job.spawn(
            {
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(self.folder / "home"),
                "USER": "mac",
                "LOGNAME": "mac",
                "SHELL": "/bin/zsh",
                "TMPDIR": str(self.folder / "tmp"),
                "XPC_SERVICE_NAME": label,
                "XPC_FLAGS": "0x0",
            }
        )
        if job.process:
            self.log(event="started", label=label, pid=job.process.pid, at=job.started)
        else:
            self.log(event="refused", label=label, status=job.status)

    def bury(self, label: str, job: Job) -> None:
        job.bury()
        self.log(event="exited", label=label, status=job.status)

    def log(self, **entry: object) -> None:
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"at": time.monotonic()} | entry) + "\n")

    def kill_all(self) -> None:
        for job in self.jobs.values():
            if job.process:
                os.killpg(job.process.pid, signal.SIGKILL)


def serve(launchd: Launchd) -> None:
    server = socket.socket(socket.AF_UNIX)
    unready = launchd.folder / "socket.unready"
    server.bind(str(unready))
    server.listen()
    unready.rename(launchd.folder / "socket")  # who sees this name can connect
    server.settimeout(0.01)
    stop = threading.Event()  # a handler that acted at once could miss a process being started
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.is_set():
        launchd.tick()
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        with connection, connection.makefile("rw") as stream:
            arguments = json.loads(stream.readline())
            code, text = launchd.answer(arguments)
            launchd.log(event="launchctl", arguments=arguments, code=code)
            stream.write(json.dumps([code, text]) + "\n")
    launchd.kill_all()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a stand-in for launchd")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--uid", type=int, default=501)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    for name in ("home", "tmp"):
        (options.folder / name).mkdir(exist_ok=True)
    serve(Launchd(options.folder, options.uid, options.scale))
