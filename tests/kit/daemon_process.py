"""The real daemon as a process of its own, on folders of its own, for the tests that need it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import psutil

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.processes.process_tree import processes
from tests.kit import command_line, fake_commands

Json = dict[str, Any]
Tables = Mapping[str, Mapping[str, object]]

RUNNER = Path(__file__).with_name("runner.py")
PROGRAM = (sys.executable, "-P", "-m", "daemon")
MODELS = Path(__file__).parents[1] / "models"
# The synthetic pair, through the backend that is fastest on a CPU.
DEMO: Tables = {
    "transcribe": {"model": str(MODELS / "whisper-demo"), "backend": "ctranslate2"},
    "align": {"model": str(MODELS / "align-demo")},
}

# Quick enough for tests; every other key keeps its default.
_QUICK: Tables = {
    "watch": {"settle_seconds": 0.2, "empty_seconds": 0.4, "rescan_seconds": 30.0},
    "output": {"index": False},
    "limits": {"retry_seconds": 0.1, "grace_seconds": 0.5, "min_free_mb": 1},
}


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Return as soon as `condition` holds. The limit ends a hung test; it measures nothing."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """Also if nobody has asked for its exit code yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def working_in(folder: Path) -> list[psutil.Process]:
    """The living processes, but for this one, whose working folder lies in `folder`."""
    found = []
    for process in processes():
        with contextlib.suppress(psutil.Error):
            is_there = Path(process.cwd()).is_relative_to(folder) and process.pid != os.getpid()
            if is_there and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def signal_each(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """To those that have not ended meanwhile."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def configured(root: Path, tables: Tables) -> Config:
    """A configuration whose folders all lie in `root`; `tables` win over the quick settings."""
    folders = ("inbox", "outbox", "done", "failed", "state", "logs")
    given: dict[str, Mapping[str, object]] = {"paths": {name: str(root / name) for name in folders}}
    for name in {*_QUICK, *tables}:
        given[name] = {**given.get(name, {}), **_QUICK.get(name, {}), **tables.get(name, {})}
    return config_file.validated(given)


@dataclass
class DaemonProcess:
    """Folders, a configuration, and the daemon that may be running on them."""

    root: Path
    config: Config
    program: Sequence[str] = PROGRAM
    behaviour: Mapping[str, str] | None = None  # of fake stages; None: they are real
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def on(cls, root: Path, tables: Tables = DEMO) -> Self:
        """Nothing runs yet; the inbox is there."""
        config = configured(root, tables)
        config.paths.inbox.mkdir(parents=True)
        config_file.save(config, root / "config.toml")
        return cls(root, config)

    @classmethod
    def faked(cls, root: Path, tables: Tables | None = None, **behaviour: str) -> Self:
        """With stages that need no model and may misbehave (misbehaviour.py); the rest is real."""
        return cls.on(root, tables or DEMO).acting(**behaviour)

    def acting(self, **behaviour: str) -> Self:
        """On the same folders, with fake stages that misbehave otherwise."""
        return replace(self, behaviour=behaviour).running_with()

    def running_with(self, *options: str) -> Self:
        """On the same folders, by the runner with these options."""
        behaviour = json.dumps(self.behaviour or {})
        runner = [sys.executable, "-s", str(RUNNER), "--behaviour", behaviour]
        if fake_commands.START != fake_commands.OWN_PROCESS:
            runner += ["--start", json.dumps(fake_commands.START)]
        return replace(self, program=(*runner, *options, "--"))

    def command(self, *arguments: str) -> list[str]:
        return [*self.program, "--config", str(self.root / "config.toml"), *arguments]

    def call(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command, in this process, to its end."""
        return command_line.call("--config", str(self.root / "config.toml"), *arguments, cwd=cwd)

    def once(self, *options: str) -> subprocess.CompletedProcess[str]:
        """`run`, until all is done (--once) or with these options, in this process."""
        with contextlib.ExitStack() as changed:
            changed.enter_context(command_line.short_pauses())
            changed.enter_context(command_line.deaf_to_signals())
            if self.behaviour is not None:
                changed.enter_context(command_line.fake_stages(self.behaviour))
            return self.call("run", *(options or ("--once",)))

    def start(self) -> subprocess.Popen[bytes]:
        """Start `run` and wait until the daemon says that it has."""
        told = len(self.events("started"))
        with (self.root / "console.log").open("ab") as console:
            process = subprocess.Popen(self.command("run"), stdout=console, stderr=console)
        self.processes.append(process)
        wait_until(
            lambda: len(self.events("started")) > told or process.poll() is not None,
            "the daemon had started",
        )
        assert process.poll() is None, (self.root / "console.log").read_text()
        return process

    def end(self) -> None:
        """Stop whatever daemon of ours still runs, and its stages."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                process.kill()
                process.wait()
        signal_each(self.stages(), signal.SIGKILL)

    def kill(self) -> None:
        """kill -9, as the system does when memory runs out."""
        self.processes[-1].send_signal(signal.SIGKILL)
        self.processes[-1].wait()

    def stop(self) -> None:
        """As launchd does: it has to end by itself."""
        self.processes[-1].terminate()
        assert self.processes[-1].wait(60) == 0, (self.root / "console.log").read_text()

    def stages(self, *names: str) -> list[psutil.Process]:
        """The living processes that work in our state folder; of these stages, if any are named."""
        modules = {f"daemon.stages.{name}" for name in names}
        found = []
        for process in working_in(self.config.paths.state):
            with contextlib.suppress(psutil.Error):
                if not names or not modules.isdisjoint(process.cmdline()):
                    found.append(process)
        return found

    def cpu_share(self, seconds: float = 1.5) -> float:
        """The share of a CPU that the daemon itself takes now, watched for some seconds."""
        itself = psutil.Process(self.processes[-1].pid)
        begun, before = time.monotonic(), itself.cpu_times()
        wait_until(lambda: time.monotonic() - begun > seconds, "some time had passed")
        after = itself.cpu_times()
        used = after.user + after.system - before.user - before.system
        return used / (time.monotonic() - begun)

    # The folders

    def drop(self, source: Path | bytes, name: str | bytes | None = None) -> Path:
        """Put a recording into the inbox in one step, as a rename does."""
        if name is None:
            assert isinstance(source, Path)
            name = source.name
        target = self.config.paths.inbox / os.fsdecode(name)
        hidden = self.root / "dropping"
        if isinstance(source, Path):
            shutil.copyfile(source, hidden)
        else:
            hidden.write_bytes(source)
        hidden.rename(target)
        return target

    def output(self, name: str) -> Path:
        return self.config.paths.outbox / name

    def document(self, stem: str) -> Json:
        """NAME.json, which is there as soon as the whole delivery is."""
        document: Json = json.loads(self.output(f"{stem}.json").read_bytes())
        return document

    def timing(self, stem: str) -> Json:
        timing: Json = json.loads(self.output(f"{stem}.timing.json").read_bytes())
        return timing

    def error(self, name: str) -> Json:
        error: Json = json.loads((self.config.paths.failed / f"{name}.error.json").read_bytes())
        return error

    def delivered(self) -> list[str]:
        """The stems whose delivery is complete."""
        names = (path.name for path in self.config.paths.outbox.glob("*.json"))
        return sorted(n.removesuffix(".json") for n in names if not n.endswith(".timing.json"))

    def working_on(self) -> dict[str, float]:
        """The stages at work and how far they are, as status.json tells it."""
        path = self.config.paths.state / "status.json"
        runs = json.loads(path.read_bytes())["working_on"] if path.exists() else []
        return {run["stage"]: run["done_seconds"] for run in runs}

    # The event log

    def events(self, kind: str | None = None) -> list[Json]:
        path, wanted = self.config.paths.logs / "events.jsonl", (kind or "").encode()
        lines = path.read_bytes().splitlines() if path.exists() else []
        events = [json.loads(line) for line in lines if wanted in line and line.endswith(b"}")]
        return [event for event in events if kind in (None, event["event"])]

    def log(self) -> str:
        return (self.config.paths.logs / "daemon.log").read_text()

    def wait_for(self, kind: str, count: int = 1, seconds: float = 120) -> list[Json]:
        """The events of that kind, as soon as there are `count`."""
        self.wait_until(
            lambda: len(self.events(kind)) >= count, f"there were {count} × {kind!r}", seconds
        )
        return self.events(kind)

    def wait_for_ends(self, count: int, seconds: float = 200) -> None:
        """Wait until that many files have come to their end, good or bad."""
        self.wait_until(
            lambda: len(self.events("done")) + len(self.events("failed")) >= count,
            f"{count} files had come to their end",
            seconds,
        )

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """As the function of that name; a daemon that ends meanwhile is an error."""

        def holds() -> bool:
            ended = self.processes[-1].poll() if self.processes else None
            assert ended is None, (self.root / "console.log").read_text()
            return condition()

        wait_until(holds, what, seconds)


@contextmanager
def running(daemon: DaemonProcess) -> Iterator[DaemonProcess]:
    """A daemon that runs until the end of the block."""
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.end()
