"""What `--json` prints: objects that name the version of their schema; see README.md here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.domain.transcript import Json

SCHEMA_VERSION = 1  # grows when a field changes its meaning or goes, not when one comes


def print_object(fields: Json) -> None:
    """One object, on several lines."""
    sys.stdout.write(json.dumps(_versioned(fields), indent=1) + "\n")
    sys.stdout.flush()


def print_line(fields: Json) -> None:
    """An object of JSON Lines: each stands for itself."""
    sys.stdout.write(json.dumps(_versioned(fields)) + "\n")
    sys.stdout.flush()


def _versioned(fields: Json) -> Json:
    return {"schema_version": SCHEMA_VERSION} | fields
