"""The same service for Linux: a systemd user unit and the systemctl commands that drive it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from launchd.agent_spec import LABEL, MARKER, AgentSpec
from launchd.command import NOT_FOUND, Clock, Reply, Runner, run
from launchd.errors import ServiceError
from launchd.own_file import OwnFile
from launchd.program import Alive, expect_alive, prepare

UNIT = f"{LABEL.removeprefix('local.')}.service"
NO_SESSION = (
    "This user has no systemd session here, which a service needs: keep dropscribe running"
    " yourself with `dropscribe run`."
)


def unit_text(spec: AgentSpec) -> str:
    """The unit file for `spec`: kept alive, braked, stopped and logged as launchd does it. Pure."""
    environment = {**spec.environment, MARKER: "1"}
    lines = [
        "[Unit]",
        "Description=dropscribe: recordings in, transcripts out",
        "StartLimitIntervalSec=0",  # never give up, as launchd never does
        "",
        "[Service]",
        f"ExecStart={' '.join(_quote(argument) for argument in spec.program)}",
        f"WorkingDirectory={_path(spec.working_directory)}",
        *(f"Environment={_quote(f'{name}={value}')}" for name, value in environment.items()),
        "Restart=always",
        f"RestartSec={spec.throttle_seconds}",
        f"TimeoutStopSec={spec.exit_seconds}",
        # SIGTERM to the daemon, which ends its stages in order; SIGKILL for whatever is left.
        "KillMode=mixed",
        "UMask=0077",
        f"StandardOutput=append:{_path(spec.log)}",
        f"StandardError=append:{_path(spec.log)}",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _path(path: Path) -> str:
    """A path setting takes the rest of the line as it is, but for the % of specifiers."""
    return _printable(str(path)).replace("%", "%%")


def _quote(text: str) -> str:
    """One argument, as systemd.service(5) quotes it: C escapes, %% and $$."""
    escaped = _printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ServiceError(f"a unit file cannot hold {text!r}: it has a control character")
    return text


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """The service of `spec`, its unit in `folder` (~/.config/systemd/user).

    The methods are LaunchAgent's; `stop` lasts until the next login here as well.
    """

    spec: AgentSpec
    folder: Path
    run: Runner = run
    clock: Clock = time
    alive_seconds: float = 60.0

    @property
    def unit(self) -> str:
        return f"{self.spec.label.removeprefix('local.')}.service"

    @property
    def file(self) -> OwnFile:
        return OwnFile(self.folder / self.unit)

    def installed(self) -> bool:
        return self.file.read() is not None

    def has_session(self) -> bool:
        """Whether this user's systemd can be spoken to, in a container for example."""
        reply = self._systemctl("is-system-running")
        return not _has_no_session(reply) and reply.text.strip() != "offline"

    def running(self) -> bool:
        return self._systemctl("is-active", "--quiet", self.unit).code == 0

    def install(self, alive: Alive) -> None:
        unit = unit_text(self.spec).encode()
        prepare(self.spec)
        earlier = self.file.read()
        self.file.write(unit)
        try:
            self._expect("daemon-reload")
            self._expect("enable", self.unit)
            self.restart(alive)
        except ServiceError as error:
            self._put_back(earlier)
            left = "The earlier version was put back." if earlier else "Nothing was left installed."
            raise ServiceError(f"{error} {left}") from error

    def uninstall(self) -> bool:
        was_there = self.installed() or self.running()
        if was_there:
            self._expect("disable", "--now", self.unit)
            self.file.remove()
            self._expect("daemon-reload")
        return was_there

    def start(self, alive: Alive) -> None:
        self._need_installed()
        self._expect("start", self.unit)
        self._verify(alive)

    def stop(self) -> None:
        if self.installed():
            self._expect("stop", self.unit)

    def restart(self, alive: Alive) -> None:
        self._need_installed()
        self._expect("restart", self.unit)
        self._verify(alive)

    def _need_installed(self) -> None:
        if not self.installed():
            raise ServiceError("The service is not installed. Install it with: dropscribe install")

    def _put_back(self, earlier: bytes | None) -> None:
        if earlier is None:
            self._systemctl("disable", "--now", self.unit)
        self.file.put_back(earlier)
        self._systemctl("daemon-reload")
        if earlier is not None:
            self._systemctl("restart", self.unit)

    def _verify(self, alive: Alive) -> None:
        expect_alive(self.spec, alive, self.alive_seconds, self.clock)

    def _systemctl(self, *arguments: str) -> Reply:
        return self.run(("systemctl", "--user", *arguments), self.spec.exit_seconds + 15.0)

    def _expect(self, *arguments: str) -> None:
        reply = self._systemctl(*arguments)
        if reply.code == 0:
            return
        said = " ".join(reply.text.split()) or "nothing"
        if _has_no_session(reply):
            raise ServiceError(f"{NO_SESSION} systemctl said: {said}.")
        name = self.unit.removesuffix(".service")
        hint = f"See: systemctl --user status {name}; journalctl --user -u {name}"
        raise ServiceError(
            f"systemctl could not {arguments[0]} (code {reply.code}: {said}). {hint}."
        )


def _has_no_session(reply: Reply) -> bool:
    return reply.code == NOT_FOUND or "connect to bus" in reply.text
