"""Rows F50 to F80, F101: stages that crash, hang, swell, lie or flood; one daemon meets all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.kit.daemon_process import Json, wait_until
from tests.kit.fault_daemon import FaultDaemon

# name, stage, behaviour: what the stage does, and how often
_RECORDINGS = {
    "healthy": (),
    "aborts-once": ("transcribe abort 1",),
    "always-aborts": ("transcribe abort",),
    "killed-once": ("transcribe killed 1",),
    "spins-once": ("transcribe spin 1",),
    "no-result-once": ("transcribe exit0 1",),
    "empty-once": ("transcribe empty 1",),
    "truncated-once": ("transcribe truncated 1",),
    "other-nonce-once": ("transcribe othernonce 1",),
    "aborts-at-exit": ("transcribe abortatexit 1",),
    "library-defect": ("transcribe defect",),
    "stops-itself": ("prepare stop",),
    "floods": ("prepare floodprotocol",),
    "align-segv": ("align segv",),
    "align-abort-once": ("align abort 1",),
    "align-aborts-at-exit": ("align abortatexit",),
    "align-hangs": ("align hang",),
    "align-swells": ("align swell",),
    "align-floods-log": ("align floodlog",),
    "align-grandchild": ("align grandchild 1",),
    "align-no-number": ("align nan",),
    "align-other-nonce": ("align othernonce",),
    "environment": ("transcribe environment",),
}


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultDaemon]:
    """A daemon that has come to rest after all of them."""
    tables = {
        # One attempt may be lost to a neighbour in the same batch, and one to the file itself.
        "limits": {"max_attempts": 3, "stall_seconds": 4.0},
        "align": {"max_memory_mb": 400, "stall_seconds": 4.0},
        "transcribe": {"max_memory_mb": 400},
    }
    daemon = FaultDaemon.on(tmp_path_factory.mktemp("stages") / "d", tables)
    for name, misbehaviour in _RECORDINGS.items():
        daemon.give(f"{name}.wav", f"said in {name}", *misbehaviour)
    finished = daemon.run_to_end(seconds=200)
    assert finished.returncode == 0, finished.stderr.decode()
    yield daemon
    daemon.end()


def _alignment(met: FaultDaemon, name: str) -> Json:
    alignment: Json = met.document(name)["alignment"]
    return alignment


@pytest.mark.timeout(300)
def test_whatever_stages_do_every_file_ends_once_and_nothing_is_left_f50_to_f80(
    met: FaultDaemon,
) -> None:
    assert met.violations() == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("aborts-once", id="f50-abort"),
        pytest.param("killed-once", id="f57-kill"),
        pytest.param("spins-once", id="f63-no-progress"),
        pytest.param("no-result-once", id="f61-exit-0-without-result"),
        pytest.param("empty-once", id="f61-receipt-without-file"),
        pytest.param("truncated-once", id="f61-half-json"),
        pytest.param("other-nonce-once", id="f61-other-attempt"),
        pytest.param("aborts-at-exit", id="f60-abort-after-result"),
        pytest.param("align-abort-once", id="f59-abort"),
        pytest.param("align-aborts-at-exit", id="f60-abort-after-alignment"),
        pytest.param("align-floods-log", id="f66-log-flood"),
        pytest.param("align-grandchild", id="f67-grandchild-holds-the-pipe"),
    ],
)
def test_a_stage_that_breaks_once_costs_nothing_but_time(met: FaultDaemon, name: str) -> None:
    assert _alignment(met, name)["status"] == "complete"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("align-segv", "SIGSEGV", id="f58"),
        pytest.param("align-hangs", "without progress", id="f62"),
        pytest.param("align-swells", "of memory", id="f64"),
        pytest.param("align-no-number", "finite", id="f101"),
        pytest.param("align-other-nonce", "another attempt", id="f61"),
    ],
)
def test_an_aligner_that_always_fails_costs_the_words_not_the_transcript(
    met: FaultDaemon, name: str, reason: str
) -> None:
    alignment = _alignment(met, name)
    assert alignment["status"] == "failed"
    assert reason in alignment["reason"]


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        pytest.param("always-aborts", "crashed", "aborted itself", id="f50"),
        pytest.param("library-defect", "crashed", "a defect of a library", id="f55"),
        pytest.param("stops-itself", "timed_out", "without progress", id="f53-f62"),
        pytest.param("floods", "crashed", "flooded", id="f78"),
    ],
)
def test_a_stage_that_always_fails_ends_its_file_alone_with_the_reason(
    met: FaultDaemon, name: str, kind: str, reason: str
) -> None:
    error = met.error(f"{name}.wav")
    assert error["kind"] == kind
    assert reason in error["reason"]


def test_a_flood_of_log_lines_does_not_fill_the_disk_f66(met: FaultDaemon) -> None:
    sizes = [path.stat().st_size for path in (met.config.paths.state / "jobs").glob("*/job.log")]
    assert max(sizes) < 30_000_000


def test_a_stage_gets_a_minimal_environment_and_nobodys_secrets_f80_s13(
    make: object, met: FaultDaemon
) -> None:
    (dump,) = (met.config.paths.state / "jobs").glob("*/environment.txt")
    lines = dump.read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if "=" in line and "flags" not in line}
    assert not {name for name in names if name.startswith(("PYTHONPATH", "AWS", "DROPSCRIBE"))}
    assert "HF_HUB_OFFLINE" in names
    assert any(line == f"cwd {met.config.paths.state / 'jobs'}" for line in lines)
    assert "safe_path=True" in dump.read_text()


def test_a_stage_dies_with_a_daemon_that_was_killed_f68(daemon: FaultDaemon) -> None:
    daemon = replace(daemon, program=daemon.running_with().program)
    daemon.give("long.wav", "a long one", "transcribe slow 1", "align hang 1")
    daemon.start()
    wait_until(lambda: len(daemon.stages()) >= 2, "stages were at work")
    daemon.kill()
    wait_until(lambda: not daemon.stages(), "the stages had ended, too", seconds=30)
    assert daemon.drained().violations() == []
