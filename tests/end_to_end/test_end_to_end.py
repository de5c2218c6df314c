"""The real daemon, the real stages and the demo models on real recordings. Nothing is a fake."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import mean

import psutil
import pytest

from tests.kit import recordings, schemas
from tests.kit.accuracy import AUDIO, percentile, start_errors, truth_of, word_error_rate
from tests.kit.daemon_process import DaemonProcess, Json, running

FRENCH, GERMAN, MEETING = "french-20s.m4a", "german-20s.flac", "meeting-60s.mp3"
MEMO, SPANISH, LECTURE = "memo-10s.wav", "spanish-20s.ogg", "lecture-12min.m4a"
ODD_NAME = "fête 🎉\nla nuit..m4a"

# What is dropped, under which name the results appear, and what is said in it. Of the twins the
# one that is ready first gets the plain name, whichever that is.
GOOD = {
    MEMO: ("memo-10s", MEMO),
    MEETING: ("meeting-60s", MEETING),
    "v1.2.final.flac": ("v1.2.final", GERMAN),
    ODD_NAME: ("fête 🎉_nla nuit.", FRENCH),
    "twin.ogg": ("twin", SPANISH),
    "twin.wav": ("twin (2)", MEMO),
    "film.mp4": ("film (2)", MEMO),
}
WORD_ERRORS = {MEMO: 0.02, MEETING: 0.02, GERMAN: 0.07, FRENCH: 0.07, SPANISH: 0.07}
TWINS = {"twin.ogg", "twin.wav"}
REFUSED = {
    "empty.wav": "the file is empty",
    "text.wav": "cannot be decoded: it is not an audio or video file, or it is cut off",
    "link.wav": "this is a symbolic link: drop the recording itself",
}
SUFFIXES = ("txt", "srt", "vtt", "tsv", "html", "json", "timing.json")


def _drop_everything(daemon: DaemonProcess) -> None:
    for name, (_, sample) in GOOD.items():
        if name != "film.mp4":
            daemon.drop(AUDIO / sample, name)
    daemon.drop(recordings.film(daemon.root / "film.mp4", AUDIO / MEMO))
    daemon.drop(recordings.silence(daemon.root / "silence.wav", 5.0))
    daemon.drop(recordings.silence(daemon.root / "instant.wav", 0.1))
    daemon.drop(recordings.cut_off(daemon.root / "truncated.m4a", AUDIO / FRENCH))
    daemon.drop(b"", "empty.wav")
    daemon.drop(b"I only look like a recording.\n" * 100, "text.wav")
    (daemon.config.paths.inbox / "link.wav").symlink_to(AUDIO / MEMO)
    daemon.drop(b"not for us", "notes.docx")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that got everything at once, and has just come to the end of it."""
    with running(DaemonProcess.on(tmp_path_factory.mktemp("served"))) as daemon:
        theirs = daemon.config.paths.outbox / "film.txt"
        theirs.parent.mkdir(exist_ok=True)
        theirs.write_text("somebody's own notes\n")
        _drop_everything(daemon)
        daemon.wait_for_ends(len(GOOD) + len(REFUSED) + 3)
        yield daemon


def _document(daemon: DaemonProcess, name: str) -> Json:
    """What became of `name`."""
    document = daemon.document(GOOD[name][0])
    if name in TWINS and document["provenance"]["source"] != name:
        (other,) = TWINS - {name}
        document = daemon.document(GOOD[other][0])
    return document


@pytest.mark.parametrize("name", GOOD)
def test_what_was_said_is_written_in_its_language(served: DaemonProcess, name: str) -> None:
    sample = GOOD[name][1]
    truth, document = truth_of(Path(sample).stem), _document(served, name)
    assert word_error_rate(document["text"], truth["text"]) <= WORD_ERRORS[sample]
    assert document["language"] == truth["language"]
    assert document["language_probability"] > 0.9


@pytest.mark.parametrize("name", GOOD)
def test_every_word_starts_when_it_was_said(served: DaemonProcess, name: str) -> None:
    document = _document(served, name)
    errors = start_errors(document["word_segments"], Path(GOOD[name][1]).stem)
    assert len(errors) > 0.9 * len(document["word_segments"])
    assert mean(errors) <= 0.015
    assert percentile(errors, 0.95) <= 0.040
    assert document["alignment"]["status"] == "complete"
    assert {word["source"] for word in document["word_segments"]} <= {"aligned", "interpolated"}


def test_numbers_in_figures_are_heard_where_they_were_said(served: DaemonProcess) -> None:
    name = next(name for name, (_, sample) in GOOD.items() if sample == MEETING)
    heard = [word for word in _document(served, name)["word_segments"] if _is_number(word)]
    true = [word for word in truth_of(Path(MEETING).stem)["words"] if _is_number(word)]
    assert len(heard) >= 5
    for word in heard:
        assert word["source"] == "aligned"
        assert min(abs(word["start"] - said["start"]) for said in true) <= 0.040


def _is_number(word: Json) -> bool:
    return any(map(str.isdigit, word["word"]))


def test_every_delivery_is_whole_and_follows_the_schemas(served: DaemonProcess) -> None:
    stems = served.delivered()
    assert {*(stem for stem, _ in GOOD.values()), "silence", "instant"} <= set(stems)
    for stem in stems:
        for suffix in SUFFIXES:
            assert served.output(f"{stem}.{suffix}").exists(), (stem, suffix)
        schemas.check(served.document(stem), "transcript")
        schemas.check(served.timing(stem), "timing")


def test_times_are_monotonic_and_within_the_audio(served: DaemonProcess) -> None:
    for stem in served.delivered():
        document = served.document(stem)
        check_times(document)
        in_segments = [word for one in document["segments"] for word in one["words"]]
        assert in_segments == document["word_segments"]


def check_times(document: Json) -> None:
    for spans in (document["segments"], document["word_segments"]):
        starts = [span["start"] for span in spans]
        assert starts == sorted(starts)
        assert all(0 <= span["start"] <= span["end"] <= document["duration"] for span in spans)
    for segment in document["segments"]:
        for word in segment["words"]:
            assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]


def test_the_json_comes_last(served: DaemonProcess) -> None:
    for stem in served.delivered():
        times = {s: served.output(f"{stem}.{s}").stat().st_ctime_ns for s in SUFFIXES}
        assert max(times, key=times.__getitem__) == "json"


def test_nothing_is_overwritten(served: DaemonProcess) -> None:
    assert served.output("film.txt").read_text() == "somebody's own notes\n"
    assert not served.output("film.json").exists()
    first, second = served.document("twin"), served.document("twin (2)")
    assert {first["provenance"]["source"], second["provenance"]["source"]} == TWINS


def test_recordings_are_archived_unaltered(served: DaemonProcess) -> None:
    for name, (_, sample) in GOOD.items():
        if name != "film.mp4":
            archived = served.config.paths.done / name
            assert archived.read_bytes() == (AUDIO / sample).read_bytes()
    assert [path.name for path in served.config.paths.inbox.iterdir()] == ["notes.docx"]


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_fails_at_once_and_says_why(served: DaemonProcess, name: str) -> None:
    error = served.error(name)
    assert error["reason"] == REFUSED[name]
    assert error["kind"] == "bad_input"
    assert error["attempts"] in ({}, {"prepare": 1})
    assert os.path.lexists(served.config.paths.failed / name)
    assert not served.output(f"{Path(name).stem}.json").exists()


def test_a_link_is_moved_and_what_it_points_to_stays(served: DaemonProcess) -> None:
    assert (served.config.paths.failed / "link.wav").readlink() == AUDIO / MEMO
    assert (AUDIO / MEMO).exists()


@pytest.mark.parametrize("stem", ["silence", "instant"])
def test_silence_gives_an_empty_transcript(served: DaemonProcess, stem: str) -> None:
    document = served.document(stem)
    assert (document["text"], document["segments"]) == ("", [])
    assert document["alignment"]["status"] == "skipped"
    assert document["alignment"]["reason"] == "no speech was found"
    assert served.output(f"{stem}.txt").read_text() == ""


def test_a_truncated_recording_fails_or_admits_what_is_missing(served: DaemonProcess) -> None:
    if "truncated" in served.delivered():
        assert "cut off" in served.document("truncated")["provenance"]["warnings"][0]
    else:
        assert "it is cut off" in served.error("truncated.m4a")["reason"]


def test_a_files_life_is_told_in_order(served: DaemonProcess) -> None:
    told = [event["event"] for event in served.events() if event.get("name") == MEMO]
    assert told == ["queued", "prepared", "transcribed", "aligned", "done"]
    (done,) = [event for event in served.events("done") if event["name"] == MEMO]
    assert {"backend", "device", "model", "segments", "words", "seconds", "speed"} <= done.keys()


def test_what_we_leave_alone_is_mentioned_once(served: DaemonProcess) -> None:
    (ignored,) = served.events("ignored")
    assert "notes.docx" in ignored["message"]


def test_no_log_holds_what_was_said(served: DaemonProcess) -> None:
    logs = [*served.config.paths.logs.iterdir(), *served.config.paths.state.rglob("*.log")]
    for log in logs:
        said = log.read_text()
        for word in ("invoice", "Friday", "Rechnung"):
            assert word not in said, log


def test_logs_and_results_are_their_owners_business(served: DaemonProcess) -> None:
    paths = served.config.paths
    for path in [*paths.logs.iterdir(), *paths.outbox.glob("memo*"), paths.state / "ledger.db"]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_each_log_line_is_a_line(served: DaemonProcess) -> None:
    """A newline in a file's name cannot forge one."""
    for line in served.log().splitlines():
        assert line[:4].isdigit(), line
    assert "\\nla nuit" in served.log()


def test_stage_times_add_up(served: DaemonProcess) -> None:
    timing = served.timing("meeting-60s")
    stages = timing["stages"]
    order = ["queued", "prepare", "transcribe", "align", "publish"]
    assert list(stages) == order
    assert all(stages[a]["start"] <= stages[b]["start"] for a, b in pairwise(order))
    assert all(stage["exit"] == "ok" and stage["attempts"] == 1 for stage in stages.values())
    assert all(stages[name]["cpu_seconds"] > 0 for name in order[1:])
    assert all(stages[name]["peak_rss_bytes"] > 1_000_000 for name in order[1:])
    assert timing["total_seconds"] >= max(stage["seconds"] for stage in stages.values())


def test_the_daemon_itself_is_small_and_idle(served: DaemonProcess) -> None:
    """Under 60 MB; no ML library is mapped; looking at the inbox is all that it does."""
    itself = psutil.Process(served.processes[-1].pid)
    served.wait_until(lambda: not served.working_on(), "the daemon was idle")
    assert itself.memory_info().rss < 60_000_000
    mapped = " ".join(region.path for region in itself.memory_maps())
    for library in ("mlx", "torch", "numpy", "onnxruntime", "ctranslate2"):
        assert f"/{library}" not in mapped
    before = itself.cpu_times()
    served.drop(b"not for us", "other.docx")  # a scan later, it has nothing to do
    served.wait_for("ignored", 2)
    after = itself.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.5


def test_a_lecture_goes_through_whole(served: DaemonProcess) -> None:
    served.drop(AUDIO / LECTURE)
    served.wait_until(lambda: "lecture-12min" in served.delivered(), "it was delivered", 230)
    document, truth = served.document("lecture-12min"), truth_of("lecture-12min")
    assert document["duration"] == pytest.approx(741.1, abs=0.1)
    assert word_error_rate(document["text"], truth["text"]) <= 0.05
    assert document["alignment"]["coverage"] >= 0.99  # a few words that Whisper invented
    schemas.check(document, "transcript")
    check_times(document)
    errors = start_errors(document["word_segments"], "lecture-12min")
    assert mean(errors) <= 0.015
    assert percentile(errors, 0.95) <= 0.040
