"""Which machine a recording goes to: pure decisions over what the machines say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.handoff.protocol import HostState
from daemon.models.memory import ALIGNER_BYTES
from daemon.supervisor.placement import Needs, best, seconds, suits

GB = 1_000_000_000
MAC = HostState(
    "mac2", "ready", "", 2, 20.0, 100_000_000, ("base", "large-v3"), ("de", "en"), 20 * GB
)
NEEDS = Needs(10_000_000, "large-v3", "de")


def test_a_machine_without_the_model_gets_no_such_recording() -> None:
    assert suits(MAC, NEEDS, {"de"})
    assert not suits(replace(MAC, models=("base",)), NEEDS, {"de"})


def test_model_and_aligner_must_fit_into_its_free_memory() -> None:
    assert not suits(replace(MAC, free_bytes=3 * GB), NEEDS, {"de"})
    enough = replace(MAC, free_bytes=3 * GB + ALIGNER_BYTES)
    assert suits(enough, replace(NEEDS, is_aligned=False), {"de"})


@pytest.mark.parametrize(
    ("language", "home", "is_aligned", "expected"),
    [
        ("de", {"de"}, True, True),
        ("fr", {"fr"}, True, False),  # the aligner is here, and not there
        ("fr", {"de"}, True, True),  # it is nowhere
        ("fr", {"fr"}, False, True),  # it is not wanted
        ("", {"fr"}, True, True),  # nobody knows yet
    ],
)
def test_a_machine_without_the_aligner_that_is_here_gets_no_such_recording(
    language: str, home: set[str], is_aligned: bool, expected: bool
) -> None:
    needs = replace(NEEDS, language=language, is_aligned=is_aligned)
    assert suits(MAC, needs, home) is expected


def test_the_faster_machine_is_asked_until_it_has_enough() -> None:
    slow = replace(MAC, name="mac3", speed=8.0, places=9)
    fast = replace(MAC, places=9)
    held: dict[str, list[int]] = {"mac2": [], "mac3": []}
    chosen = []
    for _ in range(7):
        chosen.append(best([slow, fast], held, NEEDS, ()))
        held[chosen[-1]].append(NEEDS.size)
    assert chosen.count("mac2") == 5
    assert chosen.count("mac3") == 2


def test_a_machine_gets_no_more_than_it_takes() -> None:
    assert best([MAC], {"mac2": [1, 1]}, NEEDS, ()) == ""
    assert best([MAC, replace(MAC, name="mac3", speed=1.0)], {"mac2": [1, 1]}, NEEDS, ()) == "mac3"


def test_a_slow_network_counts() -> None:
    far = replace(MAC, name="far", speed=40.0, bytes_per_second=100_000)
    assert seconds(far, [], NEEDS.size) > seconds(MAC, [], NEEDS.size)
    assert best([far, MAC], {}, NEEDS, ()) == "mac2"
