"""What this machine's CPU alone was measured to do, kept so that summaries can compare with it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from pathlib import Path

from daemon.bench.measurement import Measurement
from daemon.config.location import DIRECTORIES
from daemon.files.atomic import write_json

_CPU = "dropscribe (ctranslate2)"


def remember(measurements: Iterable[Measurement], model: str) -> None:
    """Keep the latest measurement of the CPU backend with `model`'s weights."""
    for measurement in measurements:
        if measurement.system == _CPU and measurement.table.endswith(": all of it"):
            speed = float(measurement.notes.get("× real time", 0))
            today = datetime.date.today().isoformat()
            known = _known() | {model: {"speed": speed, "measured": today}}
            _path().parent.mkdir(parents=True, exist_ok=True)
            write_json(_path(), known)


def compared(model: str, speed: float) -> str:
    """How many times faster than this machine's CPU; "" if that was never measured."""
    known = _known().get(model, {})
    cpu, measured = float(known.get("speed", 0)), str(known.get("measured", ""))
    if not cpu or not measured:
        return ""
    day = datetime.date.fromisoformat(measured)
    return f"{speed / cpu:.1f} × this machine's CPU, measured {day.day} {day:%B}"


def _known() -> dict[str, dict[str, str | float]]:
    try:
        data = json.loads(_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _path() -> Path:
    return DIRECTORIES.user_data_path / "cpu-speed.json"
