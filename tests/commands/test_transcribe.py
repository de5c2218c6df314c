"""What `transcribe` takes: files, folders, patterns, pipes, and other programs' options."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.commands.sources import recordings
from daemon.commands.transcribe import Shown
from daemon.commands.whisper_options import settings
from daemon.config.settings import Config
from daemon.models import registry
from tests.kit import schemas
from tests.kit.accuracy import AUDIO
from tests.kit.queue_on_disk import QueueOnDisk

EXTENSIONS = ("wav", "mp3")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _files(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())


def _taken(tmp_path: Path, *given: str) -> tuple[list[str], list[str]]:
    found, problems = recordings(given, EXTENSIONS, tmp_path)
    return [str(path.relative_to(tmp_path.resolve())) for path in found], problems


def test_a_folder_is_taken_with_its_sub_folders(tmp_path: Path) -> None:
    _files("in/b.wav", "in/a.mp3", "in/notes.pdf", "in/.hidden/x.wav", "in/sub/c.wav")
    assert _taken(tmp_path, "in") == (["in/a.mp3", "in/b.wav", "in/sub/c.wav"], [])


def test_patterns_and_links_are_followed_and_nothing_is_taken_twice(tmp_path: Path) -> None:
    _files("a1.wav", "a2.wav", "b.wav")
    Path("link.wav").symlink_to("b.wav")
    taken = _taken(tmp_path, "a?.wav", "link.wav", "b.wav", "a1.wav")
    assert taken == (["a1.wav", "a2.wav", "b.wav"], [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none.wav", "none.wav: no such file"),
        ("dangling.wav", "dangling.wav: a link to a file that is not there"),
        ("empty", "empty: no recordings in this folder"),
        ("*.ogg", "*.ogg: no such file"),
        ("https://example.org/talk", "yt-dlp is needed for this"),
    ],
)
def test_what_cannot_be_had_is_said_and_the_rest_is_taken(
    given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    _files("a.wav")
    Path("dangling.wav").symlink_to("/nope")
    Path("empty").mkdir()
    found, (problem,) = _taken(tmp_path, given, "a.wav")
    assert found == ["a.wav"]
    assert said in problem


def test_a_pipe_and_the_web_become_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = tmp_path / "yt-dlp"
    fetch.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        "assert sys.argv[-2] == '--'\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).parent\n"
        "folder.mkdir(exist_ok=True)\n(folder / 'A talk.webm').write_bytes(b'web')\n"
    )
    fetch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    found, problems = recordings(["-", "https://example.org/x"], EXTENSIONS, tmp_path)
    assert problems == []
    assert [(path.name, path.read_bytes()) for path in found] == [
        ("stdin", b"piped"),
        ("A talk.webm", b"web"),
    ]


def test_a_pipe_without_a_name_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    try:
        found, problems = recordings([f"/dev/fd/{reading}"], EXTENSIONS, tmp_path)
    finally:
        os.close(reading)
    assert (problems, [path.read_bytes() for path in found]) == ([], [b"piped"])


def test_nothing_at_all_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    Path("dangling.wav").symlink_to("/nope")
    config = ["--config", str(queue.config_path)]
    assert main(["transcribe", "dangling.wav", "none.wav", *config]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "dropscribe: dangling.wav: a link to a file that is not there",
        "dropscribe: none.wav: no such file",
        "dropscribe: there is nothing to transcribe",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--language", "xx"], "--language: is no language that Whisper knows"),
        (["--language", "yue"], "does not know yue (Cantonese)"),
        (["--model", "tiny"], "run `dropscribe models fetch tiny`"),
        (["--model", "nonsense"], "nonsense is no preset (base, "),
        (
            ["--align-model", "/none"],
            "--align-model: there is no folder /none with an alignment model",
        ),
        (["-f", "pdf"], "pdf: no such format"),
    ],
)
def test_a_wish_that_cannot_be_met_ends_at_once_and_for_good(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    _files("a.wav")
    assert main(["transcribe", "a.wav", *options, "--config", str(queue.config_path)]) == 2
    assert said in capsys.readouterr().err


NOTHING: Mapping[str, object] = dict.fromkeys(
    ("model", "backend", "language", "initial_prompt", "hotwords", "align_model", "no_align",
     "word_timestamps", "formats", "task", "diarize", "min_speakers", "max_speakers",
     "speakers", "speaker_count", "max_line_width", "max_line_count", "beam_size")
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "table", "key", "value"),
    [
        ({"model": "turbo"}, "transcribe", "model", "large-v3-turbo"),
        ({"hotwords": "Zebra", "initial_prompt": "A talk."}, "transcribe", "initial_prompt",
         "Zebra A talk."),
        ({"word_timestamps": False}, "align", "enabled", False),
        ({"word_timestamps": True}, "align", "enabled", True),
        ({"no_align": True}, "align", "enabled", False),
        ({"formats": "srt,json"}, "output", "formats", ("srt",)),
        ({"diarize": True}, "speakers", "mode", "voices"),
        ({"max_speakers": 3}, "speakers", "max_count", 3),
        ({"max_line_width": 30}, "subtitles", "line_characters", 30),
        ({"speaker_count": 2}, "speakers", "mode", "voices"),
        ({"task": "translate"}, "transcribe", "task", "translate"),
        ({"beam_size": 5}, "transcribe", "beam_size", 5),
    ],
)  # fmt: skip
def test_options_of_other_programs_become_settings(
    wanted: Mapping[str, object], table: str, key: str, value: object
) -> None:
    assert settings(Config(), {**NOTHING, **wanted})[table][key] == value


def test_all_means_every_format_that_the_configuration_may_name() -> None:
    formats = settings(Config(), {**NOTHING, "formats": "all"})["output"]["formats"]
    assert {"txt", "srt", "vtt", "tsv"} < set(formats)


def test_one_missing_file_of_several_is_told_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the options of another program, and the text alone on standard output."""
    queue = QueueOnDisk(tmp_path / "q")
    options = ["--output_dir", "out", "--output_format", "srt", "--language", "English"]
    options += ["--batch_size", "8", "--json", "--config", str(queue.config_path)]
    code = main(["transcribe", "none.wav", str(AUDIO / "memo-10s.wav"), *options])
    said = capsys.readouterr()
    assert code == 1
    assert "none.wav: no such file" in said.err
    assert "without a meaning here, left out: --batch_size" in said.err
    told = json.loads(said.out)
    assert told["status"] == "done"
    assert told["language"] == "en"
    assert [Path(path).name for path in told["outputs"]] == [
        "memo-10s.srt",
        "memo-10s.json",
        "memo-10s.timing.json",
    ]
    assert all(Path(path).is_absolute() and Path(path).exists() for path in told["outputs"])


@pytest.mark.parametrize(("kept", "told"), [(True, ["one.json", "one.timing.json"]), (False, [])])
def test_only_files_that_stay_are_told(
    kept: bool, told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --stdout, the files lie in a folder that goes with the command."""
    queue = QueueOnDisk(tmp_path / "q")
    queue.done("one.wav", "one")
    outbox = queue.config.paths.outbox
    document = json.loads((outbox / "one.json").read_bytes()) | {"alignment": {}}
    (outbox / "one.json").write_text(json.dumps(document))
    (outbox / "one.timing.json").write_text('{"speed": 1.0}')
    with queue.ledger() as ledger:
        (job,) = ledger.recent(1)
    Shown(outbox, as_json=True, kept=kept).delivered(job)
    assert [Path(path).name for path in json.loads(capsys.readouterr().out)["outputs"]] == told


@pytest.mark.computes
def test_a_translation_is_english_and_claims_no_word_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    options = ["--task", "translate", "--model", "base", "--backend", "ctranslate2", "-o", "out"]
    recording = registry.BUNDLED / "audio" / "simplicissimus.mp3"
    assert main(["transcribe", str(recording), *options, "--config", str(queue.config_path)]) == 0
    document = json.loads(Path("out/simplicissimus.json").read_bytes())
    schemas.check(document, "transcript")
    assert document["language"] == "de"  # which was spoken
    assert document["provenance"]["options"]["task"] == "translate"
    assert {"the", "and"} < set(document["text"].lower().split())
    assert document["alignment"]["status"] == "skipped"
    assert "nobody said these words" in document["alignment"]["reason"]
    assert document["word_segments"] == []
    assert "translated into English" in capsys.readouterr().out
    assert '<html lang="en">' in Path("out/simplicissimus.html").read_text()


@pytest.mark.slow
def test_hot_words_are_spelled_as_they_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    options = ["--model", "base", "--backend", "ctranslate2", "--stdout"]
    command = ["transcribe", str(registry.BUNDLED / "audio" / "simplicissimus.mp3"), *options]
    command += ["--config", str(queue.config_path)]
    assert main(command) == 0
    assert "Simplicissimus" not in capsys.readouterr().out
    assert main([*command, "--hotwords", "Simplicissimus"]) == 0
    assert "Simplicissimus" in capsys.readouterr().out
