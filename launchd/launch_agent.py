"""The LaunchAgent: install, uninstall, start, stop, restart. Each may be repeated without harm.

`bootout` is asynchronous, and for about five seconds after it `bootstrap` answers "5: Input/output
error" (github.com/headroomlabs-ai/headroom/issues/1289). Hence: bootout, ask until it is
gone, bootstrap with retries, and believe only the program's own sign of life. Enabling comes first,
because a label that was disabled stays so over reboots and new installations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launchd import launchctl, schema
from launchd.agent_spec import AgentSpec
from launchd.command import TIMED_OUT, Reply, wait_until
from launchd.errors import ServiceError
from launchd.launchctl import Launchctl, explain
from launchd.own_file import OwnFile
from launchd.program import Alive, expect_alive, prepare

_GOING = {launchctl.OK, launchctl.IN_PROGRESS, launchctl.ALREADY, TIMED_OUT}


@dataclass(frozen=True, slots=True)
class LaunchAgent:
    """The service of `spec`, its plist in `folder` (~/Library/LaunchAgents).

    `alive`, where it is asked for, tells whether the program itself has given a sign of life
    since the call; all methods raise ServiceError with a line that says what to do now.
    """

    spec: AgentSpec
    folder: Path
    ctl: Launchctl
    alive_seconds: float = 60.0

    @property
    def file(self) -> OwnFile:
        return OwnFile(self.folder / f"{self.spec.label}.plist")

    def installed(self) -> bool:
        return self.file.read() is not None

    def running(self) -> bool:
        """Whether launchd knows the service; it then keeps it alive."""
        return self.ctl.loaded()

    def install(self, alive: Alive) -> None:
        """Write the plist and start the service, or the new version of it.

        Nothing is touched unless the plist is good; if launchd refuses it or the program does not
        come up, the earlier plist is put back and started.
        """
        self._check()
        earlier = self.file.read()
        self._enable()  # also fails where nothing else would work: without a desktop session
        self.file.write(self.spec.to_bytes())
        try:
            self._reload(alive)
        except ServiceError as error:
            raise ServiceError(f"{error} {self._put_back(earlier, alive)}") from error

    def uninstall(self) -> bool:
        """Stop the service and remove its plist; every other file stays. False: nothing to do."""
        was_there = self.installed() or self.running()
        self.stop()
        self.file.remove()
        return was_there

    def start(self, alive: Alive) -> None:
        if not self.installed():
            raise ServiceError("The service is not installed. Install it with: dropscribe install")
        self._enable()
        if self.running():
            _expect("start the service", self.ctl.kickstart(), launchctl.OK, launchctl.ALREADY)
        else:
            self._load()
        self._verify(alive)

    def stop(self) -> None:
        """Stop it until the next login or `start`. Waits until it is gone."""
        self.file.read()  # a stranger's service is not ours to stop
        reply = self.ctl.bootout(self.spec.exit_seconds)
        if reply.code not in _GOING and self.running():
            raise ServiceError(explain("stop the service", reply))
        patience = self.spec.exit_seconds + launchctl.ANSWER_SECONDS
        if not wait_until(lambda: not self.running(), patience, self.ctl.clock):
            raise ServiceError(
                f"The service is still stopping after {patience:.0f} seconds. Try again later."
            )

    def restart(self, alive: Alive) -> None:
        if not self.installed():
            raise ServiceError("The service is not installed. Install it with: dropscribe install")
        self._enable()
        self._reload(alive)

    def _check(self) -> None:
        if problems := schema.problems(self.spec.to_plist(), self.file.path.name):
            raise ServiceError(
                f"Nothing was changed, because launchd would not run this: {'; '.join(problems)}."
            )
        prepare(self.spec)

    def _reload(self, alive: Alive) -> None:
        self.stop()
        self._load()
        self._verify(alive)

    def _enable(self) -> None:
        _expect("enable the service", self.ctl.enable(), launchctl.OK)

    def _load(self) -> None:
        reply = self.ctl.load(self.file.path, launchctl.LOAD_SECONDS)
        if reply.code != launchctl.OK and not self.running():
            raise ServiceError(explain("load the service", reply))

    def _verify(self, alive: Alive) -> None:
        expect_alive(self.spec, alive, self.alive_seconds, self.ctl.clock)

    def _put_back(self, earlier: bytes | None, alive: Alive) -> str:
        """Undo `install`; say how that went."""
        try:
            self.file.put_back(earlier)
            if earlier is None:
                self.stop()
                return "Nothing was left installed."
            self._reload(alive)
        except ServiceError as error:
            return f"The earlier version could not be brought back either: {error}"
        return "The earlier version was put back and is running."


def _expect(action: str, reply: Reply, *codes: int) -> None:
    if reply.code not in codes:
        raise ServiceError(explain(action, reply))
