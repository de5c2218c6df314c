"""Rows F50 to F80: stages that crash, stall, lie or flood. One daemon meets each sort.

What an aligner can do is in tests/end_to_end/test_fallback.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from daemon.processes.process_tree import WORKER_VARIABLE
from tests.kit.daemon_process import Tables, wait_until
from tests.kit.fault_daemon import FaultDaemon

# What costs nothing but time: name, what the stage does, and how often.
_FORGIVEN = {
    "healthy": (),
    "aborts-once": ("transcribe abort 1",),
    "killed-once": ("transcribe kill 1",),
    "spins-once": ("transcribe spin 1",),
    "leaves-once": ("transcribe leave 1",),
    "no-result-once": ("transcribe no_result 1",),
    "truncated-once": ("transcribe truncated_result 1",),
    "other-attempt-once": ("transcribe other_attempt 1",),
    "aborts-at-exit": ("transcribe abort_at_exit 1",),
    "align-aborts-at-exit": ("align abort_at_exit",),
    "align-grandchild": ("align grandchild 1",),
    "environment": ("transcribe environment",),
}
# Attempts are many: the transcriber's death also costs one of whoever it works for besides.
_PATIENT: Tables = {"limits": {"max_attempts": 50, "stall_seconds": 8.0}}

# What ends its file: kind and reason.
_CONDEMNED = {
    "always-aborts": ("transcribe abort", "crashed", "aborted itself"),
    "library-defect": ("prepare defect", "crashed", "a defect of a library"),
    "floods": ("prepare flood_output", "crashed", "flooded"),
}

Met = Callable[[str, Tables, dict[str, tuple[str, ...]]], FaultDaemon]


@pytest.fixture(scope="module")
def meet(tmp_path_factory: pytest.TempPathFactory) -> Met:
    """A daemon that has come to rest after all of these recordings."""

    def at_rest(name: str, tables: Tables, recordings: dict[str, tuple[str, ...]]) -> FaultDaemon:
        daemon = FaultDaemon.on(tmp_path_factory.mktemp(name) / "d", tables)
        for stem, misbehaviour in recordings.items():
            daemon.give(f"{stem}.wav", f"said in {stem}", *misbehaviour)
        return daemon.drained()

    return at_rest


@pytest.fixture(scope="module")
def forgiven(meet: Met) -> Iterator[FaultDaemon]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nobody's business")
        environment.setenv("PYTHONPATH", "/nowhere")
        yield meet("forgiven", _PATIENT, _FORGIVEN)


@pytest.fixture(scope="module")
def condemned(meet: Met) -> FaultDaemon:
    return meet("condemned", {}, {name: (how,) for name, (how, _, _) in _CONDEMNED.items()})


@pytest.fixture(scope="module")
def stalled(meet: Met) -> FaultDaemon:
    tables: Tables = {"limits": {"max_attempts": 2, "stall_seconds": 1.0}}
    return meet("stalled", tables, {"stops-itself": ("prepare stop",)})


@pytest.mark.parametrize("which", ["forgiven", "condemned", "stalled"])
def test_whatever_stages_do_every_file_ends_once_and_nothing_is_left_f50_to_f80(
    request: pytest.FixtureRequest, which: str
) -> None:
    assert request.getfixturevalue(which).violations() == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("aborts-once", id="f50-abort"),
        pytest.param("killed-once", id="f57-kill"),
        pytest.param("spins-once", id="f63-no-progress"),
        pytest.param("leaves-once", id="f61-exit-0-without-result"),
        pytest.param("no-result-once", id="f61-receipt-without-file"),
        pytest.param("truncated-once", id="f61-half-json"),
        pytest.param("other-attempt-once", id="f61-other-attempt"),
        pytest.param("aborts-at-exit", id="f60-abort-after-result"),
        pytest.param("align-aborts-at-exit", id="f60-abort-after-alignment"),
        pytest.param("align-grandchild", id="f67-grandchild-holds-the-pipe"),
    ],
)
def test_a_stage_that_breaks_once_costs_nothing_but_time(forgiven: FaultDaemon, name: str) -> None:
    assert forgiven.document(name)["alignment"]["status"] == "complete"


@pytest.mark.parametrize("name", _CONDEMNED)
def test_a_stage_that_always_fails_ends_its_file_alone_with_the_reason_f50_f55_f78(
    condemned: FaultDaemon, name: str
) -> None:
    _, kind, reason = _CONDEMNED[name]
    error = condemned.error(f"{name}.wav")
    assert error["kind"] == kind
    assert reason in error["reason"]


def test_a_stage_that_stops_is_ended_f53_f62(stalled: FaultDaemon) -> None:
    error = stalled.error("stops-itself.wav")
    assert error["kind"] == "timed_out"
    assert "without progress" in error["reason"]
    assert error["attempts"] == {"prepare": 2}


def test_a_stage_gets_a_minimal_environment_and_nobodys_secrets_f80_s13(
    forgiven: FaultDaemon,
) -> None:
    (dump,) = (forgiven.config.paths.state / "jobs").glob("*/environment.txt")
    lines = dump.read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if "=" in line and "flags" not in line}
    inherited = names - {WORKER_VARIABLE}  # its own number, by which its orphans are found
    assert not {name for name in inherited if name.startswith(("PYTHONPATH", "AWS", "DROPSCRIBE"))}
    assert "HF_HUB_OFFLINE" in names
    assert any(line == f"cwd {forgiven.config.paths.state / 'jobs'}" for line in lines)
    assert "safe_path=True" in dump.read_text()


def test_a_stage_dies_with_a_daemon_that_was_killed_f68(daemon: FaultDaemon) -> None:
    daemon.give("long.wav", "a long one", f"transcribe gate:{daemon.root / 'gate'}")
    daemon.start()
    wait_until(lambda: len(daemon.stages()) >= 2, "stages were at work")
    daemon.kill()
    wait_until(lambda: not daemon.stages(), "the stages had ended, too")
    (daemon.root / "gate").touch()
    assert daemon.drained().violations() == []
