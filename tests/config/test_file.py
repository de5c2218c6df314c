"""Where the configuration is, reading and writing it, the shipped example."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import UsageError

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"


def test_where_no_file_is_every_default_holds(tmp_path: Path) -> None:
    assert config_file.load(tmp_path / "none.toml") == Config()


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
    for table, values in Config().model_dump().items():
        platforms_own = {"state", "logs"} if table == "paths" else set()
        assert shown[table].keys() | platforms_own == values.keys(), table


def test_the_example_explains_every_key() -> None:
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if " = " in line and not line.startswith((" ", "#")):
            assert "#" in line, line


def test_the_environment_names_the_file(home: Path) -> None:
    assert config_file.default_path({"DROPSCRIBE_CONFIG": "~/mine.toml"}) == home / "mine.toml"


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("darwin", {}, "Library/Application Support/dropscribe/config.toml"),
        ("linux", {}, ".config/dropscribe/config.toml"),
        ("linux", {"XDG_CONFIG_HOME": "~/elsewhere"}, "elsewhere/dropscribe/config.toml"),
    ],
)
def test_each_platform_has_its_place(
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    platform: str,
    environment: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert config_file.default_path(environment) == home / expected
