"""Scans come soon after a ring, and never too often."""

from __future__ import annotations

from daemon.inbox.schedule import ScanSchedule


def test_the_first_scan_is_due_at_once_and_the_next_after_a_while() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    assert clock.due(None) == 100.0
    clock.scanned(100.0, 100.0, again_soon=False)
    assert clock.due(None) == 160.0


def test_a_ring_or_a_settled_file_brings_it_forward() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.scanned(100.0, 100.0, again_soon=False)
    assert clock.due(102.0) == 102.0
    clock.request(101.0)
    assert clock.due(None) == 101.0


def test_a_storm_of_rings_does_not_cause_one_of_scans() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.scanned(100.0, 100.0, again_soon=False)
    clock.request(100.0)
    assert clock.due(None) > 100.0


def test_long_scans_take_a_tenth_of_the_time_at_most() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.scanned(100.0, 103.0, again_soon=True)
    assert clock.due(None) == 130.0


def test_an_inbox_that_cannot_be_read_is_tried_again_in_a_while() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.failed(100.0, 100.0)
    assert 105.0 < clock.due(None) < 160.0


def test_after_a_look_that_hung_for_hours_the_next_one_is_soon() -> None:
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.scanned(100.0, 10_100.0, again_soon=False)
    clock.request(10_100.0)
    assert clock.due(None) <= 10_160.0


def test_a_ring_while_a_scan_looks_is_answered_by_the_next_scan() -> None:
    """That one may have passed by already what has come."""
    clock = ScanSchedule(100.0, 60.0, 15.0)
    clock.request(100.01)
    clock.scanned(100.0, 100.02, again_soon=False)
    assert clock.due(None) < 101.0
    clock.scanned(clock.due(None), 101.0, again_soon=False)
    assert clock.due(None) > 150.0
