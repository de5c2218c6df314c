"""What launchd is told about the daemon: AgentSpec -> dictionary -> property list. Pure.

The keys are those of launchd.plist(5). Only keys that we set on purpose are here.
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LABEL = "local.dropscribe"
MARKER = (
    "DROPSCRIBE_AGENT"  # an environment variable; a service file that sets it was written by us
)

# launchd's own PATH is /usr/bin:/bin:/usr/sbin:/sbin, without Homebrew's two places.
PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

PlistValue = str | int | bool | list[str] | dict[str, str] | dict[str, int]
Plist = dict[str, PlistValue]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """A program to keep running for the user who is logged in.

    `program` is an argument vector that begins with an absolute path: launchd expands neither
    `~` nor `$HOME`, and no shell is involved. The folder of `log` and `working_directory` must
    exist when the service starts, or launchd gives up with status 78 before our first line.
    """

    program: tuple[str, ...]
    working_directory: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    label: str = LABEL
    throttle_seconds: int = 10
    exit_seconds: int = 20

    def to_plist(self) -> Plist:
        """The property list as a dictionary, in the order in which it is printed."""
        return {
            "Label": self.label,
            "ProgramArguments": list(self.program),
            "WorkingDirectory": str(self.working_directory),
            "EnvironmentVariables": {"PATH": PATH, **self.environment, MARKER: "1"},
            # Always up, whatever it died of. {Crashed: true} would miss exit 1 and SIGKILL, which
            # is how memory pressure ends a process. It also implies RunAtLoad.
            "KeepAlive": True,
            # Seconds from one start to the next at the earliest: the brake of a crash loop.
            "ThrottleInterval": self.throttle_seconds,
            # Seconds from SIGTERM to SIGKILL. Unset, the effective default is 5 s today.
            "ExitTimeOut": self.exit_seconds,
            # Standard, the default, is throttled (CPU and I/O, also for children), and Background
            # was measured at an eighth of the GPU speed: github.com/dryvist/nix-ai/pull/916.
            "ProcessType": "Interactive",
            # A desktop session: the GPU, notifications and the privacy grants live there.
            "LimitLoadToSessionType": "Aqua",
            # Recordings whose data is still in iCloud are fetched when read, not refused.
            "MaterializeDatalessFiles": True,
            # The soft default of 256 open files is little for a thousand recordings at once.
            "SoftResourceLimits": {"NumberOfFiles": 4096},
            # 077: logs and results are the user's alone. Property lists know decimals only.
            "Umask": 0o077,
            # What escapes the daemon's own log: an import error, a traceback at start.
            "StandardOutPath": str(self.log),
            "StandardErrorPath": str(self.log),
        }

    def to_bytes(self) -> bytes:
        """The property list as XML.

        Raises ValueError for text that XML cannot carry; `schema.problems` names it beforehand.
        """
        return plistlib.dumps(self.to_plist(), fmt=plistlib.FMT_XML, sort_keys=False)
