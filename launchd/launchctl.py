"""launchctl(1), one method a subcommand, and its exit codes in words.

Decisions rest on exit codes alone: what `launchctl print` writes "is NOT API in any sense at all".
`load` and `unload` are not here because they exit with 0 whatever happens.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from launchd.command import TIMED_OUT, Clock, Reply, Runner, run

OK = 0
NO_SUCH_PROCESS = 3  # bootout: it was not loaded
IO_ERROR = 5  # bootstrap: still leaving, or one of many other reasons
IN_PROGRESS = 36  # bootout: it is still going
ALREADY = 37  # an earlier request is still being carried out
NOT_LOADED = 113

ANSWER_SECONDS = 15.0
LOAD_SECONDS = 20.0  # four times what launchd has been seen to need after a bootout
_TRY_AGAIN = {IO_ERROR, IN_PROGRESS, ALREADY, TIMED_OUT}

_MEANINGS = {
    NO_SUCH_PROCESS: "The service is not loaded. Load it with: dropscribe start",
    IO_ERROR: "launchd gives no reason. Most often the service was still stopping: try again in a "
    "minute. Otherwise see System Settings > General > Login Items & Extensions, where dropscribe "
    "(shown as python, or by the name of who signed it) may be switched off, and: "
    "log show --last 5m --predicate 'process == \"launchd\"'",
    IN_PROGRESS: "The service is still stopping. Try again in a minute.",
    ALREADY: "launchd is still busy with an earlier request. Try again in a minute.",
    78: "The service could not be set up: a folder named in the plist is missing or not writable. "
    "Run: dropscribe doctor",
    109: "launchd cannot read the plist. Write it afresh with: dropscribe install",
    112: "You have no desktop session. Log in at the Mac's own screen, then try again.",
    NOT_LOADED: "The service is not loaded. Load it with: dropscribe start",
    119: "The service is disabled. Switch it on with: dropscribe install",
    122: "The plist must belong to you and be writable by you alone. "
    "Write it afresh with: dropscribe install",
    125: "This session cannot run agents. Log in at the Mac's own screen (not over ssh, not with "
    "sudo), then try again.",
    134: "This session cannot run agents. Log in at the Mac's own screen (not over ssh, not with "
    "sudo), then try again.",
    161: "macOS does not allow it in the background. Allow dropscribe (shown as python, or by the "
    "name of who signed it) in System Settings > General > Login Items & Extensions.",
    TIMED_OUT: "launchd does not answer. Try again; restarting the Mac helps if this goes on.",
}


def explain(action: str, reply: Reply) -> str:
    """One line for a person: what was tried, what launchd said, what to do now."""
    meaning = _MEANINGS.get(reply.code, f"See: launchctl error {reply.code}")
    said = " ".join(reply.text.split()) or "nothing"
    return f"launchctl could not {action} (code {reply.code}: {said}). {meaning}"


@dataclass(frozen=True, slots=True)
class Launchctl:
    """Commands for one label in one user's desktop session, `gui/<uid>`."""

    label: str
    uid: int
    run: Runner = run
    clock: Clock = time

    @property
    def domain(self) -> str:
        return f"gui/{self.uid}"

    @property
    def target(self) -> str:
        return f"{self.domain}/{self.label}"

    def loaded(self) -> bool:
        return self._call("print", self.target).code == OK

    def enable(self) -> Reply:
        return self._call("enable", self.target)

    def bootstrap(self, plist: Path) -> Reply:
        return self._call("bootstrap", self.domain, str(plist))

    def load(self, plist: Path, seconds: float) -> Reply:
        """Bootstrap, again and again for `seconds` while launchd is busy with what was there."""
        deadline = self.clock.monotonic() + seconds
        while (reply := self.bootstrap(plist)).code in _TRY_AGAIN:
            if self.clock.monotonic() >= deadline:
                break
            self.clock.sleep(0.5)
        return reply

    def bootout(self, exit_seconds: float) -> Reply:
        """Ask it to leave. The answer may come at once or after all of `exit_seconds`."""
        return self._call("bootout", self.target, seconds=exit_seconds + ANSWER_SECONDS)

    def kickstart(self) -> Reply:
        """Run it now. Never with -k, which is a SIGKILL: restart by bootout and bootstrap."""
        return self._call("kickstart", self.target)

    def _call(self, *arguments: str, seconds: float = ANSWER_SECONDS) -> Reply:
        return self.run(("launchctl", *arguments), seconds)
