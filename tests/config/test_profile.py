"""Settings for some recordings only, and what a profile may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config.profile import ProfileError, Profiles
from daemon.config.settings import Config
from tests.kit.daemon_process import configured


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "inbox" / "German").mkdir(parents=True)
    return configured(tmp_path, {"transcribe": {"model": "demo", "language": "fr"}})


def test_without_profiles_the_configuration_holds_as_it_is(config: Config) -> None:
    assert Profiles(config).config_for(config.paths.inbox / "talk.wav") is config


def test_the_nearer_profile_wins_key_by_key(config: Config) -> None:
    inbox = config.paths.inbox
    (inbox / "dropscribe.toml").write_text("[output]\nformats = ['srt']\n")
    folder = "[transcribe]\nlanguage = 'German'\n[vocabulary]\nreplace = { 'a b' = 'C' }\n"
    (inbox / "German" / "dropscribe.toml").write_text(folder)
    (inbox / "German" / "talk.toml").write_text("[queue]\npriority = 5\n")
    profiles = Profiles(config)
    talk = profiles.config_for(inbox / "German" / "talk.m4a")
    assert (talk.transcribe.language, talk.transcribe.model) == ("de", "demo")
    assert (talk.output.formats, talk.queue.priority) == (("srt",), 5)
    assert talk.vocabulary.replace == {"a b": "C"}
    other = profiles.config_for(inbox / "other.m4a")
    assert (other.transcribe.language, other.output.formats) == ("fr", ("srt",))
    assert other.queue.priority == 0


def test_a_profile_that_changes_is_read_again(config: Config) -> None:
    profile = config.paths.inbox / "talk.wav.toml"
    profiles = Profiles(config)
    for language in ("de", "es"):
        profile.write_text(f"[transcribe]\nlanguage = '{language}'\n#{language * 3}")
        profile.rename(profile.with_name("new"))  # another file each time
        profile.with_name("new").rename(profile)
        (config.paths.inbox / f"{language}.keep").touch()
        assert profiles.config_for(config.paths.inbox / "talk.wav").transcribe.language == language
        profile.unlink()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[paths]\ndone = '/'\n", "paths is no table of a profile"),
        ("[notify]\nhook = ['/bin/rm']\n", "notify is no table of a profile"),
        ("[output]\nsource = 'delete'\n", "output.source is not for a profile"),
        ("[speakers]\nmodel = '/tmp'\n", "speakers.model is not for a profile"),
        ("[transcribe]\nlanguage = 'xx'\n", "transcribe.language: is no language"),
        ("[transcribe\n", "is not valid TOML"),
        ("transcribe = 1\n", "transcribe must be a table"),
        ("#" * 70_000, "is larger than"),
    ],
)
def test_a_wrong_profile_is_named(config: Config, content: str, said: str) -> None:
    (config.paths.inbox / "talk.toml").write_text(content)
    with pytest.raises(ProfileError, match=r"talk\.toml") as raised:
        Profiles(config).config_for(config.paths.inbox / "talk.wav")
    assert said in str(raised.value)


def test_a_profile_is_read_with_caution(config: Config, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("[transcribe]\nlanguage = 'de'\n")
    (config.paths.inbox / "talk.toml").symlink_to(tmp_path / "secret")
    with pytest.raises(ProfileError, match="cannot be read"):
        Profiles(config).config_for(config.paths.inbox / "talk.wav")
