"""The command line, as `python -m daemon`: what each verb does, prints, and answers with.

Where a daemon has to have worked before, its stages are fakes; `transcribe`, `demo` and `doctor`
run the real ones.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from daemon import __version__
from daemon.__main__ import main
from daemon.config import edit
from daemon.config.settings import Config
from tests.kit import schemas
from tests.kit.accuracy import AUDIO, truth_of, word_error_rate
from tests.kit.daemon_process import DaemonProcess, running


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonProcess:
    """Folders and a configuration; nothing runs."""
    return DaemonProcess.faked(tmp_path / "d")


def _one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.startswith("dropscribe: ")
    return line


# The program


def test_the_version_is_told(daemon: DaemonProcess) -> None:
    assert daemon.call("--version").stdout == f"dropscribe {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("dance",), ("run", "--sideways")])
def test_a_wrong_command_line_is_a_usage_error(
    daemon: DaemonProcess, arguments: tuple[str, ...]
) -> None:
    ended = daemon.call(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: dropscribe")


# config


def test_config_init_writes_every_default_once(daemon: DaemonProcess) -> None:
    (daemon.root / "config.toml").unlink()
    assert daemon.call("config", "init").returncode == 0
    assert (daemon.root / "config.toml").read_text() == edit.example()
    assert daemon.call("config", "set", "transcribe.model", "base").returncode == 0
    assert daemon.call("config", "check").stdout.endswith(": no problems\n")
    again = daemon.call("config", "init")
    assert again.returncode == 2
    assert "exists already" in _one_line(again.stderr)


def test_config_show_shows_what_is_in_force(daemon: DaemonProcess) -> None:
    shown = daemon.call("config", "show").stdout
    assert f'inbox = "{daemon.config.paths.inbox}"' in shown
    assert all(f"[{table}]" in shown for table in Config.__struct_fields__)


def test_config_check_names_every_problem(daemon: DaemonProcess) -> None:
    (daemon.root / "config.toml").write_text(
        "[watch]\nsettle_secs = 1\n[limits]\nmax_attempts = 0\n"
    )
    ended = daemon.call("config", "check")
    assert ended.returncode == 2
    assert "watch.settle_secs: no such key; did you mean watch.settle_seconds?" in ended.stderr
    assert "limits.max_attempts" in ended.stderr


def test_config_set_changes_one_key(daemon: DaemonProcess) -> None:
    assert daemon.call("config", "set", "transcribe.model", "tiny").returncode == 0
    assert daemon.call("config", "set", "output.formats", '["txt"]').returncode == 0
    shown = daemon.call("config", "show").stdout
    assert 'model = "tiny"' in shown
    assert f'inbox = "{daemon.config.paths.inbox}"' in shown


@pytest.mark.parametrize(
    ("tables", "topic", "remedy"),
    [
        ("[transcribe]\nmodel = 'nosuchmodel'\n", "model", "is no preset (base"),
        (
            "[transcribe]\nmodel = 'tiny'\nstand_in = false\n",
            "model",
            "dropscribe models fetch tiny",
        ),
        ("[transcribe]\nmodel = 'base'\nlanguage = 'yue'\n", "transcribe.language", "Cantonese"),
        ("[transcribe]\nmodel = 'base'\n[align]\nmodel = '/no/such'\n", "model", "/no/such"),
        ("[transcribe]\nmodel = 'base'\n[paths]\noutbox = '/dev/null/x'\n", "outbox", "no folder"),
        ("[transcribe]\nmodel = 'base'\n[notify]\nhook = ['/no/such']\n", "hook", "notify.hook"),
    ],
)
def test_config_check_finds_what_run_would_wait_for(
    tables: str, topic: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(tables)
    assert main(["config", "check", "--config", str(path)]) == 1
    told, *rest = capsys.readouterr().out.splitlines()
    assert told.startswith(f"{topic}: ")
    assert remedy in rest[0]
    assert main(["doctor", "--json", "--config", str(path)]) == 1
    assert remedy in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("transcribe.modle", "tiny"), ("nothing", "1")])
def test_config_set_refuses_a_key_that_is_none(daemon: DaemonProcess, key: str, value: str) -> None:
    before = (daemon.root / "config.toml").read_text()
    ended = daemon.call("config", "set", key, value)
    assert ended.returncode == 2
    assert "no such" in ended.stderr
    assert (daemon.root / "config.toml").read_text() == before


# run


def test_run_once_drains_the_inbox_and_ends(daemon: DaemonProcess) -> None:
    daemon.drop(b"one", "one.wav")
    daemon.drop(b"two", "two.wav")
    assert daemon.once().returncode == 0
    assert daemon.delivered() == ["one", "two"]
    assert not daemon.stages()


def test_run_once_on_an_empty_inbox_ends_at_once(daemon: DaemonProcess) -> None:
    assert daemon.once().returncode == 0


def test_a_fault_of_the_machine_ends_run_once_for_now(tmp_path: Path) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d", transcribe="disk_full")
    daemon.drop(b"one", "one.wav")
    ended = daemon.acting(transcribe="disk_full").once()
    assert "the disk is full" in ended.stderr
    assert ended.returncode == 75 or "TemporaryError" in ended.stderr
    assert daemon.acting().once().returncode == 0
    assert daemon.timing("one")["stages"]["transcribe"]["attempts"] == 1


def test_a_fault_of_the_machine_at_the_start_is_one_line_and_not_now(
    daemon: DaemonProcess,
) -> None:
    daemon.drop(b"one", "one.wav")
    daemon.config.paths.state.write_text("a file where the state folder should be")
    ended = daemon.call("run", "--once")
    assert ended.returncode == 75
    assert "there is a file where the folder should be" in _one_line(ended.stderr)
    daemon.config.paths.state.unlink()
    assert daemon.once().returncode == 0
    assert daemon.delivered() == ["one"]


def test_a_second_daemon_is_refused_for_now(daemon: DaemonProcess) -> None:
    with running(daemon):
        second = daemon.call("run")
    assert second.returncode == 75
    assert "another dropscribe is running" in second.stderr


def test_one_job_can_be_run_by_its_number(daemon: DaemonProcess) -> None:
    for name in ("a.wav", "b.wav"):
        daemon.drop(name.encode(), name)
    daemon.acting(prepare="disk_full").once()
    ended = daemon.once("-j", "2")
    assert ended.returncode == 0, ended.stderr
    assert "b.wav" in ended.stdout
    assert daemon.delivered() == ["b"]
    assert "done already" in daemon.once("-j", "2").stderr
    (daemon.config.paths.inbox / "a.wav").unlink()
    gone = daemon.once("-j", "1")
    assert gone.returncode == 1
    assert daemon.delivered() == ["b"]


def test_a_job_that_is_none_cannot_be_run(daemon: DaemonProcess) -> None:
    ended = daemon.call("run", "-j", "7")
    assert ended.returncode == 1
    assert "there is no job 7" in ended.stderr


# status


def test_status_without_a_daemon_says_so(daemon: DaemonProcess) -> None:
    told = json.loads(daemon.call("status", "--json").stdout)
    assert (told["running"], told["state"], told["jobs"]) == (False, "stopped", [])
    assert "stopped" in daemon.call("status").stdout


def test_status_shows_the_daemon_at_work(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", transcribe=f"gate:{gate}")) as daemon:
        daemon.drop(b"one", "one.wav")
        daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
        told = json.loads(daemon.call("status", "--json").stdout)
        assert (told["running"], told["state"], told["waiting"]) == (True, "working", 1)
        assert told["daemon"]["pid"] == daemon.processes[-1].pid
        assert told["daemon"]["working_on"][0]["name"] == "one.wav"
        assert "#1 one.wav: transcribe" in daemon.call("status").stdout
        gate.touch()
        daemon.wait_for("done")
        answer = daemon.call("status", "--json")
        assert answer.returncode == 0, answer.stderr
        told = json.loads(answer.stdout)
        assert (told["waiting"], told["done"], told["failed"]) == (0, 1, 0)
        assert told["jobs"][0]["outputs"] == "one"


# retry


def _failed(daemon: DaemonProcess, *names: str) -> None:
    for name in names:
        daemon.drop(name.encode(), name)
    daemon.acting(prepare="bad_input").once()
    assert all((daemon.config.paths.failed / name).exists() for name in names)


@pytest.mark.parametrize("which", ["1", "#1", "one.wav", "--all"])
def test_a_failed_file_gets_another_chance(daemon: DaemonProcess, which: str) -> None:
    _failed(daemon, "one.wav")
    ended = daemon.call("retry", which)
    assert (ended.returncode, ended.stdout) == (0, "one.wav: back in the inbox\n")
    assert not list(daemon.config.paths.failed.iterdir())
    daemon.once()
    assert daemon.delivered() == ["one"]


def test_a_file_that_never_failed_cannot_be_retried(daemon: DaemonProcess) -> None:
    _failed(daemon, "one.wav")
    ended = daemon.call("retry", "1", "99", "none.wav")
    assert ended.returncode == 1
    assert "99: no such failed file" in ended.stdout + ended.stderr
    assert (daemon.config.paths.inbox / "one.wav").exists()
    assert daemon.call("retry").returncode == 2


def test_a_retry_overwrites_nothing(daemon: DaemonProcess) -> None:
    _failed(daemon, "one.wav")
    daemon.drop(b"another recording", "one.wav")
    ended = daemon.call("retry", "one.wav")
    assert ended.returncode == 1
    _one_line(ended.stderr)
    assert (daemon.config.paths.inbox / "one.wav").read_bytes() == b"another recording"
    assert (daemon.config.paths.failed / "one.wav").read_bytes() == b"one.wav"
    assert (daemon.config.paths.failed / "one.wav.error.json").exists()


# doctor


def test_doctor_finds_nothing_wrong_where_nothing_is(daemon: DaemonProcess) -> None:
    ended = daemon.call("doctor")
    assert ended.returncode == 0, ended.stdout
    assert "BAD" not in ended.stdout


def test_doctor_names_each_problem_with_its_remedy(tmp_path: Path) -> None:
    daemon = DaemonProcess.on(
        tmp_path / "d",
        {
            "transcribe": {"model": "large-v3", "stand_in": False},
            "limits": {"min_free_mb": 1_000_000_000},
        },
    )
    daemon.config.paths.outbox.write_text("there is a file where the folder should be")
    findings = json.loads(daemon.call("doctor", "--json").stdout)["findings"]
    problems = {finding["topic"]: finding["remedy"] for finding in findings if finding["remedy"]}
    assert "dropscribe models fetch" in problems["model"]
    assert "free some space" in problems["disk"]
    assert "outbox" in problems
    assert daemon.call("doctor").returncode == 1


# transcribe


@pytest.mark.computes
def test_files_named_by_hand_are_transcribed_and_stay(tmp_path: Path) -> None:
    daemon = DaemonProcess.on(tmp_path / "d")
    memo, bad, out = tmp_path / "memo.wav", tmp_path / "bad.wav", tmp_path / "out"
    memo.write_bytes((AUDIO / "memo-10s.wav").read_bytes())
    bad.write_bytes(b"no recording")
    ended = daemon.call("transcribe", str(memo), str(bad), "-o", str(out), "-f", "srt")
    assert ended.returncode == 1
    assert "bad.wav: cannot be decoded" in ended.stderr
    for told in ("backend", "device", "model", "segments", "words", "total", "× real time"):
        assert told in ended.stdout
    names = sorted(path.name for path in out.iterdir())
    assert names == ["memo.json", "memo.srt", "memo.timing.json"]
    document = json.loads((out / "memo.json").read_bytes())
    schemas.check(document, "transcript")
    assert word_error_rate(document["text"], truth_of("memo-10s")["text"]) <= 0.02
    assert memo.read_bytes() == (AUDIO / "memo-10s.wav").read_bytes()
    assert bad.read_bytes() == b"no recording"
    assert not daemon.stages()


# demo


@pytest.mark.computes
@pytest.mark.timeout(900)  # MLX on a CPU that others use, too
def test_the_demo_shows_the_main_job_on_mlx(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The backend that a Mac uses, on real people in three languages, by the real daemon."""
    ended = daemon.call("demo", "--folder", str(tmp_path / "demo"))
    assert ended.returncode == 0, ended.stderr
    assert "On this machine `auto` chooses" in ended.stdout
    for name, language in (("jfk", "en"), ("simplicissimus", "de"), ("cv_ja", "ja")):
        document = json.loads((tmp_path / "demo" / "outbox" / f"{name}.json").read_bytes())
        schemas.check(document, "transcript")
        assert document["provenance"]["backend"] == "mlx"
        assert document["provenance"]["model"] == "base"
        assert document["language"] == language
        assert document["text"][:40] in ended.stdout
        starts = [word["start"] for word in document["word_segments"]]
        assert starts
        assert all(first <= second for first, second in pairwise(starts))
        if name == "jfk":
            assert "ask what you can do for your country" in document["text"]
    assert "done in" in (tmp_path / "demo" / "logs" / "daemon.log").read_text()
