"""Is a property list one that launchd will run? `plutil -lint` looks at the syntax alone.

launchd ignores keys that it does not know and values of the wrong type, or refuses the file with
"5: Input/output error" and no reason; so everything is looked at before anything is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PROCESS_TYPES = {"Background", "Standard", "Adaptive", "Interactive"}
_SESSION_TYPES = {"Aqua", "Background", "LoginWindow"}
_KEEP_ALIVE = {"SuccessfulExit", "Crashed"}

Check = Callable[[object], str | None]


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return "must be text"
    return "holds a control character" if _CONTROL.search(value) else None


def _absolute_path(value: object) -> str | None:
    if problem := _text(value):
        return problem
    path = PurePosixPath(str(value))
    if not path.is_absolute() or ".." in path.parts:
        return f"must be an absolute path (launchd expands neither ~ nor ..): {value}"
    return None


def _label(value: object) -> str | None:
    if isinstance(value, str) and _LABEL.fullmatch(value):
        return None
    return "must be letters, digits, dots, dashes"


def _program(value: object) -> str | None:
    if not isinstance(value, list) or not value:
        return "must be a list that begins with a program"
    problems = [_absolute_path(value[0]), *(_text(argument) for argument in value[1:])]
    return next((problem for problem in problems if problem), None)


def _environment(value: object) -> str | None:
    if not isinstance(value, dict):
        return "must be a dictionary"
    for name, text in value.items():
        if _text(name) or "=" in name or (text != "" and _text(text)):
            return f"{name!r} must be text without control characters (launchd drops the rest)"
    return None


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _number(low: int, high: int) -> Check:
    def check(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return None
        return f"must be a whole number from {low} to {high}"

    return check


def _one_of(choices: set[str]) -> Check:
    return lambda value: None if value in choices else f"must be one of {sorted(choices)}"


def _keep_alive(value: object) -> str | None:
    if isinstance(value, dict):
        if value and set(value) <= _KEEP_ALIVE:
            return next((problem for item in value.values() if (problem := _boolean(item))), None)
        return f"must be true, false or some of {sorted(_KEEP_ALIVE)}"
    return _boolean(value)


def _limits(value: object) -> str | None:
    if not isinstance(value, dict) or set(value) != {"NumberOfFiles"}:
        return "must hold NumberOfFiles alone"
    return _number(64, 1_000_000)(value["NumberOfFiles"])


REQUIRED = ("Label", "ProgramArguments")
CHECKS: Mapping[str, Check] = {
    "Label": _label,
    "ProgramArguments": _program,
    "WorkingDirectory": _absolute_path,
    "EnvironmentVariables": _environment,
    "KeepAlive": _keep_alive,
    "RunAtLoad": _boolean,
    "ThrottleInterval": _number(1, 3600),
    "ExitTimeOut": _number(1, 600),  # 0 is infinity, which can stall a shutdown for ever
    "ProcessType": _one_of(_PROCESS_TYPES),
    "LimitLoadToSessionType": _one_of(_SESSION_TYPES),
    "MaterializeDatalessFiles": _boolean,
    "SoftResourceLimits": _limits,
    "Umask": _number(0, 0o777),
    "StandardOutPath": _absolute_path,
    "StandardErrorPath": _absolute_path,
}


def problems(plist: Mapping[str, object], file_name: str) -> tuple[str, ...]:
    """Everything that is wrong with `plist`, to be stored as `file_name`; empty if all is well."""
    found = [f"{key} is missing" for key in REQUIRED if key not in plist]
    for key, value in plist.items():
        check = CHECKS.get(key)
        problem = "is not a key that we use" if check is None else check(value)
        if problem:
            found.append(f"{key} {problem}")
    if file_name != f"{plist.get('Label')}.plist":
        found.append(f"the file must be named after its label, not {file_name!r}")
    return tuple(found)
