"""The JSON Schemas that are shipped with the package."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from daemon.models.registry import BUNDLED

Json = dict[str, Any]


def schema(name: str) -> Json:
    found: Json = json.loads((BUNDLED / "schemas" / f"{name}.schema.json").read_bytes())
    return found


def check(document: Json, name: str) -> None:
    """Raises jsonschema.ValidationError."""
    jsonschema.Draft202012Validator(schema(name)).validate(document)
