"""One receipt for each request, nothing else on the protocol's line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.domain.job import FailureKind
from daemon.handoff import artefacts
from daemon.handoff.protocol import MoreInput, Progress, Ready, Receipt
from tests.kit.fake_commands import FAKES
from tests.kit.stage_process import StageProcess, failed, request_for, stage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"a recording")
    return path


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[StageProcess]:
    with stage([str(FAKES / "serving.py")], tmp_path / "stage.log") as process:
        assert process.hear() == Ready()
        yield process


def test_libraries_cannot_speak_on_the_protocols_line(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    serving.ask(request_for(source, tmp_path / "1"))
    assert serving.receipt().kind is None
    assert "noise of an import" in serving.log.read_text()
    said = (tmp_path / "1" / artefacts.LOG).read_text()
    for noise in ("noise of the work", "noise of a C library", "noise of a child"):
        assert noise in said


def test_each_request_has_its_receipt_with_its_cost(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        serving.ask(request_for(source, tmp_path / str(number)))
        receipt = serving.receipt()
        assert receipt.nonce == "abc"
        assert receipt.usage.cpu_seconds > 0
        assert receipt.usage.peak_rss_bytes > 1_000_000


def test_progress_is_a_heartbeat_not_a_flood(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    serving.ask(request_for(source, tmp_path / "1"))
    heard = [serving.hear()]
    while not isinstance(heard[-1], Receipt):
        heard.append(serving.hear())
    assert 1 <= sum(isinstance(message, Progress) for message in heard) < 50


def test_a_stage_whose_imports_fail_says_so_and_does_not_abort(tmp_path: Path) -> None:
    """The thread that reads stdin must not hold the interpreter up: it would end by SIGABRT."""
    code = "from daemon.stages.serve import serve; serve(lambda: __import__('no_such_library'))"
    with stage(["-c", code], tmp_path / "stage.log") as process:
        assert process.process.wait(30) == 1
        assert "No module named 'no_such_library'" in process.log.read_text().splitlines()[-1]


def test_a_stage_that_is_not_heard_any_more_ends_and_does_not_abort(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    assert serving.process.stdout is not None
    serving.process.stdout.close()
    serving.ask(request_for(source, tmp_path / "1"))
    assert serving.process.wait(60) == 1
    assert "BrokenPipeError" in (tmp_path / "1" / artefacts.LOG).read_text()


def test_ctrl_c_in_a_terminal_is_the_daemons_to_answer(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    """It reaches the stages as well: who died of it would have been interrupted amid a file."""
    serving.process.send_signal(signal.SIGINT)
    serving.ask(request_for(source, tmp_path / "1"))
    assert serving.receipt().kind is None
    assert serving.close() == 0


@pytest.mark.parametrize(
    ("what", "kind", "sentence"),
    [
        ("bad", FailureKind.BAD_INPUT, "this is no recording"),
        ("settings", FailureKind.ENVIRONMENT, "set it right"),
        ("full", FailureKind.ENVIRONMENT, "the disk is full: free some space"),
        ("odd", FailureKind.CRASHED, "ValueError: odd"),
    ],
)
def test_a_failure_has_a_kind_and_a_sentence_and_the_stage_goes_on(
    serving: StageProcess, source: Path, tmp_path: Path, what: str, kind: FailureKind, sentence: str
) -> None:
    serving.ask(request_for(source, tmp_path / "1", language=what))
    assert failed(serving.receipt(), kind) == sentence
    serving.ask(request_for(source, tmp_path / "2"))
    assert serving.receipt().kind is None


def test_a_stage_can_wait_until_its_input_is_whole(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    serving.ask(request_for(source, tmp_path / "1", language="waits"))
    serving.ask(MoreInput("another", complete=True))
    serving.ask(MoreInput("abc", complete=False))
    serving.ask(MoreInput("abc", complete=True))
    assert serving.receipt().kind is None


def test_a_stage_hears_amid_its_work_that_it_is_alone(
    serving: StageProcess, source: Path, tmp_path: Path
) -> None:
    serving.ask(request_for(source, tmp_path / "1", language="listens"))
    serving.ask(MoreInput("another", complete=True, alone=True))
    serving.ask(MoreInput("abc", complete=False))
    serving.ask(MoreInput("abc", complete=True, alone=True))
    assert serving.receipt().kind is None


@pytest.mark.parametrize("busy", [False, True])
def test_the_end_of_stdin_is_the_end(
    serving: StageProcess, source: Path, tmp_path: Path, busy: bool
) -> None:
    if busy:
        serving.ask(request_for(source, tmp_path / "1", language="waits"))
    assert serving.close() == 0
