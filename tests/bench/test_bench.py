"""Word errors, paired rounds, tables and the chart."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.bench import backends
from daemon.bench.measurement import Measurement, System, merged, paired
from daemon.bench.rivals import headline
from daemon.bench.table import tables
from daemon.bench.word_errors import word_error_rate


@pytest.mark.parametrize(
    ("said", "truth", "rate"),
    [
        pytest.param("Hello, Anna!", "hello anna", 0.0, id="case and punctuation do not count"),
        pytest.param("hello anna there", "hello anna", 0.5, id="one too many"),
        pytest.param("anna", "hello anna", 0.5, id="one missing"),
        pytest.param("hello hanna", "hello anna", 0.5, id="one wrong"),
        pytest.param("", "", 0.0, id="nothing said, nothing heard"),
    ],
)
def test_word_errors_are_counted(said: str, truth: str, rate: float) -> None:
    assert word_error_rate(said, truth) == rate


def test_systems_take_turns_after_a_warm_up() -> None:
    turns: list[str] = []

    def system(name: str) -> System:
        return System(lambda: turns.append(name) or {"turns": len(turns)}, pieces=2)

    rows = paired("work", {"a": system("a"), "b": system("b")}, rounds=2)
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert [(row.system, len(row.seconds), row.notes["turns"]) for row in rows] == [
        ("a", 2, 5),
        ("b", 2, 6),
    ]


def test_rounds_of_processes_of_their_own_become_one_row_each() -> None:
    rounds = [
        Measurement("work", "a", (1.0,), {"turn": 1}),
        Measurement("work", "b", (2.0,)),
        Measurement("work", "a", (3.0,), {"turn": 2}),
        Measurement("work", "b", (4.0,)),
    ]
    assert merged(rounds) == [
        Measurement("work", "a", (1.0, 3.0), {"turn": 2}),
        Measurement("work", "b", (2.0, 4.0)),
    ]


def test_backends_take_turns_and_their_stages_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def transcribe(_: Path, model: str, backend: str) -> dict[str, object]:
        """A run that is not a run: only the arithmetic is tested here."""
        turns.append(f"{model} {backend}")
        seconds = {"mlx": 2.0, "ctranslate2": 16.0}[backend]
        stages = {"transcribe": {"seconds": seconds}, "align": {"seconds": 0.0}}
        return {"audio_seconds": 60.0, "stages": stages, "total_seconds": seconds + 1}

    monkeypatch.setattr(backends, "_transcribe", transcribe)
    rows = backends.measure(Path("talk.wav"), "tiny", ("mlx", "ctranslate2"), rounds=2)
    assert turns == ["tiny mlx", "tiny ctranslate2"] * 2
    assert [(row.system, row.median) for row in rows[:2]] == [
        ("dropscribe (ctranslate2)", 16.0),
        ("dropscribe (mlx)", 2.0),
    ]
    assert rows[0].notes == {"× real time": "3.8"}
    assert rows[1].notes == {backends.SPEED_UP: 8.0, "× real time": "30.0"}
    assert rows[2].notes == {}
    assert set(backends.speed_ups(rows).values()) == {8.0, round(17 / 3, 2)}
    assert "faster" not in tables(rows), "neither of them is the other's rival"


ROWS = [
    Measurement("a window", "dropscribe", (0.5, 0.4, 0.6), {"rows": 8}),
    Measurement("a window", "another", (2.0, 1.0, 1.0), {}),
]


def test_a_table_says_how_many_times_faster_ours_is() -> None:
    lines = tables(ROWS).splitlines()
    assert lines[0] == "a window"
    assert " ".join(lines[2].split()) == "dropscribe 500.0 ms 400.0 ms – 600.0 ms rows 8"
    assert "2.00 × faster" in lines[3]


def test_the_headline_is_against_the_best_peer() -> None:
    rows = [*ROWS, Measurement("a window", "a third", (0.75,), {})]
    assert headline(rows) == "a window: 1.50 × the best peer, a third"


def test_measurements_survive_the_way_from_a_child() -> None:
    assert [Measurement.from_json(json.dumps(asdict(row))) for row in ROWS] == ROWS


def test_the_chart_is_a_picture(tmp_path: Path) -> None:
    target = tmp_path / "chart.png"
    lines = "".join(json.dumps(asdict(row)) + "\n" for row in ROWS)
    command = [sys.executable, "-m", "daemon.bench.chart", str(target)]
    subprocess.run(command, input=lines, text=True, check=True)
    assert target.read_bytes().startswith(b"\x89PNG")
