"""Where the configuration is, reading and writing it, the shipped example."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from daemon.config import edit
from daemon.config import file as config_file
from daemon.config.location import default_path, usual_path
from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.errors import UsageError

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"


def test_where_no_file_is_every_default_holds() -> None:
    assert config_file.load(usual_path()) == Config()


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no configuration file .*none\.toml"):
        config_file.load(tmp_path / "none.toml")


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    config = config_file.validated({"transcribe": {"model": "tiny", "languages": ["de", "en"]}})
    config_file.save(config, path)
    assert config_file.load(path) == config
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[watch\n", "is not valid TOML"),
        (b"\xff\xfe", "cannot read the configuration"),
        (b"[watch]\nsettle_seconds = 'soon'\n", "watch.settle_seconds"),
    ],
)
def test_a_broken_file_is_a_usage_error_that_names_it(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as raised:
        config_file.load(path)
    assert str(path) in str(raised.value)


def test_the_example_shows_every_key_with_its_default() -> None:
    assert config_file.load(EXAMPLE) == Config()
    shown = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    for table, values in as_json(Config()).items():
        platforms_own = {"state", "logs"} if table == "paths" else set()
        assert shown[table].keys() | platforms_own == values.keys(), table


def test_the_example_explains_every_key() -> None:
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if " = " in line and not line.startswith((" ", "#")):
            assert "#" in line, line


def test_the_environment_names_the_file(home: Path) -> None:
    assert default_path({"DROPSCRIBE_CONFIG": "~/mine.toml"}) == home / "mine.toml"
    assert default_path({}) == usual_path()
    assert usual_path().is_relative_to(home)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[transcribe]\nmodel = 'tiny'\n")
    assert config_file.load(path).transcribe.model == "tiny"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "# mine\n\n[watch]\nsettle_seconds = -1\n",
            "line 4, column 18: watch.settle_seconds: must be at",
        ),
        (
            "[output]\nformats = 'srt'\n",
            "line 2, column 11: output.formats: must be a list, such as",
        ),
        (
            "[output]\nformats = ['pdf', 'srt']\n",
            "line 2, column 11: output.formats: must be 'txt', 'md'",
        ),
        (
            "watch.rescan_seconds = inf\n",
            "line 1, column 24: watch.rescan_seconds: must be a finite number",
        ),
        (
            "[watch]\nrescan_seconds = 1e12\n",
            "line 2, column 18: watch.rescan_seconds: must be at most",
        ),
        (
            "[limits]\nmax_attempts = 'many'\n",
            "line 2, column 16: limits.max_attempts: must be a whole number",
        ),
        (
            "[transcribe]\nlanguage = 'xx'\n",
            "line 2, column 12: transcribe.language: is no language that",
        ),
        (
            "[notify]\nwebhook = 'ftp://x'\n",
            "line 2, column 11: notify.webhook: must begin with http",
        ),
        ("[transcrib]\n", "line 1, column 2: transcrib: no such key; did you mean transcribe?"),
        ("watch = 1\n", "line 1, column 9: watch: must be a table"),
        ("[watch]\nsettle_seconds = = 1\n", "(at line 2, column 18)"),
    ],
)
def test_a_problem_is_said_in_plain_words_with_its_line(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as raised:
        config_file.load(path)
    assert said in str(raised.value)
    assert not re.search(
        r"[Ii]nput should|valid (tuple|string)|formats\.\d|type=", str(raised.value)
    )


# Editing

MINE = """\
# my own words
[paths]
inbox = "~/in"  # where my recorder puts things

[transcribe]
model = "small"   # fast enough
"""


def test_a_change_keeps_every_comment_and_the_home_folder_as_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    edit.change(path, "transcribe.model", "tiny")
    assert path.read_text() == MINE.replace('"small"', '"tiny"')
    edit.change(path, "limits.max_attempts", "5")
    assert path.read_text().startswith(MINE.replace('"small"', '"tiny"'))
    assert config_file.load(path).limits.max_attempts == 5


@pytest.mark.parametrize(
    ("value", "formats"),
    [("srt", ("srt",)), ("srt, vtt", ("srt", "vtt")), ('["txt"]', ("txt",)), ("", ())],
)
def test_a_list_is_taken_with_and_without_brackets(
    tmp_path: Path, value: str, formats: tuple[str, ...]
) -> None:
    path = tmp_path / "config.toml"
    edit.change(path, "output.formats", value)
    assert config_file.load(path).output.formats == formats


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("transcribe.modle", "tiny", "did you mean transcribe.model?"),
        ("nothing.at", "1", "nothing: no such table"),
        ("limits", "1", "limits is a table"),
        ("limit.x", "1", "did you mean limits?"),
        ("limits.max_attempts", "many", "must be a whole number"),
    ],
)
def test_a_change_that_is_wrong_leaves_the_file_alone(
    tmp_path: Path, key: str, value: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    with pytest.raises(UsageError, match=re.escape(said)):
        edit.change(path, key, value)
    assert path.read_text() == MINE


def test_the_example_that_is_written_is_the_one_that_is_shipped() -> None:
    assert edit.example() == EXAMPLE.read_text(encoding="utf-8")


def test_each_key_tells_where_it_is_set(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    told = {key: (value, line) for key, value, line in edit.origins(config_file.load(path), path)}
    assert told["transcribe.model"] == ('"small"', 6)
    assert told["paths.inbox"][1] == 3
    assert told["watch.events"] == ("true", 0)
