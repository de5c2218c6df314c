"""The JSON Schemas that are shipped are those that daemon/outbox/schema.py describes."""

from __future__ import annotations

import json

import pytest

from daemon.outbox.documents import SCHEMA_VERSION
from daemon.outbox.schema import FOLDER, schemas


@pytest.mark.parametrize("name", ["transcript.schema.json", "timing.schema.json"])
def test_the_shipped_schemas_are_the_generated_ones(name: str) -> None:
    shipped = (FOLDER / name).read_text(encoding="utf-8")
    assert shipped == schemas()[name], "run: python -m daemon.outbox.schema"
    assert json.loads(shipped)["properties"]["schema_version"]["const"] == SCHEMA_VERSION
