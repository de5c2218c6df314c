"""Expected failures: each is one line for a person, and an exit code (DESIGN: exit codes)."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
UNEXPECTED = 3
TEMPORARY = 75  # sysexits.h EX_TEMPFAIL: try again later
INTERRUPTED = 130  # 128 + SIGINT


class DropscribeError(Exception):
    """Something that we expected might happen; its text says what to do now."""

    exit_code = FAILED


class UsageError(DropscribeError):
    """The command line or the configuration is wrong."""

    exit_code = USAGE


class TemporaryError(DropscribeError):
    """Nothing is wrong with the request, but it cannot be done at this moment."""

    exit_code = TEMPORARY
