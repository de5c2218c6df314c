"""One JSON object a line, and nothing else counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.job import FailureKind
from daemon.handoff.protocol import (
    Message,
    MoreInput,
    Progress,
    Ready,
    Receipt,
    Request,
    Usage,
    message_line,
    parse_message,
    parse_request,
    request_line,
)

_usage = st.builds(Usage, st.floats(0, 1e6).map(lambda s: round(s, 3)), st.integers(0, 2**40))
_messages = st.one_of(
    st.just(Ready()),
    st.builds(Progress, st.text(), st.floats(0, 1e6), st.floats(0, 1e6)),
    st.builds(Receipt, st.text(), _usage),
    st.builds(Receipt, st.text(), _usage, st.sampled_from(FailureKind), st.text(max_size=50)),
)


@given(_messages)
def test_what_a_stage_says_is_heard_as_it_was_meant(message: Message) -> None:
    line = message_line(message)
    assert line.count(b"\n") == 1
    assert parse_message(line) == message


@pytest.mark.parametrize(
    "event",
    [Request(Path("/state/jobs/1"), "ab"), MoreInput("ab", True, True), MoreInput("ab", False)],
)
def test_what_the_daemon_asks_is_understood(event: Request | MoreInput) -> None:
    assert parse_request(request_line(event)) == event


@given(st.binary())
def test_noise_is_no_message_and_no_error(line: bytes) -> None:
    parse_message(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"type": "nonsense"}',
        b'{"type": "receipt", "nonce": "a"}',
        b'{"type": "receipt", "nonce": "a", "usage": {"cpu_seconds": -1}}',
        b'{"type": "receipt", "nonce": "a", "usage": {"cpu_seconds": NaN}}',
        b'{"type": "progress", "nonce": "a", "done": "x", "total": 1}',
        b'{"type": "ready"',
        b"[" * 100_000,
    ],
)
def test_what_is_not_of_the_protocol_is_ignored(line: bytes) -> None:
    assert parse_message(line) is None


def test_a_failed_receipt_without_a_known_kind_is_none() -> None:
    receipt = json.loads(message_line(Receipt("a", Usage(), FailureKind.CRASHED, "m")))
    assert parse_message(json.dumps(receipt | {"kind": "whatever"}).encode()) is None


def test_a_failures_sentence_has_an_end() -> None:
    line = message_line(Receipt("a", Usage(), FailureKind.CRASHED, "x" * 100_000))
    heard = parse_message(line)
    assert isinstance(heard, Receipt)
    assert len(heard.message) == 2000
