"""daemon.outbox.known_voices: who was named once is named again, and nobody else."""

from __future__ import annotations

import math
import stat
from pathlib import Path

from daemon.domain.speakers import Diarization, DiarizationStatus, Turn, Voice
from daemon.files.state_folder import VOICES
from daemon.outbox.known_voices import ALIKE, KnownVoices, forget

_ADA, _BOB = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def _like(voice: tuple[float, ...], cosine: float) -> tuple[float, ...]:
    """A unit vector of that cosine to `voice`, and of none to the other two."""
    return (*(cosine * value for value in voice[:2]), math.sqrt(1 - cosine**2))


def _heard(*voices: tuple[float, ...], seconds: float = 10.0) -> Diarization:
    turns = tuple(Turn(at * 20.0, at * 20.0 + seconds, at) for at in range(len(voices)))
    return Diarization(
        DiarizationStatus.COMPLETE, voices=tuple(Voice(voice) for voice in voices), turns=turns
    )


def _known() -> KnownVoices:
    known = KnownVoices()
    known.note(1, _heard(_ADA, _BOB))
    assert known.learn(1, {1: "Ada", 2: "Bob"}) == []
    return known


def test_people_are_known_again_in_whatever_order_they_speak() -> None:
    assert _known().names(_heard(_like(_BOB, 0.9), _like(_ADA, 0.8))) == ("Bob", "Ada")


def test_who_is_less_alike_or_said_too_little_has_no_name() -> None:
    known = _known()
    assert known.names(_heard(_like(_ADA, ALIKE - 0.01))) == ("",)
    assert known.names(_heard(_ADA, seconds=2.0)) == ("",)


def test_a_name_is_given_once_to_the_voice_most_like_it() -> None:
    assert _known().names(_heard(_like(_ADA, 0.8), _like(_ADA, 0.9))) == ("", "Ada")


def test_a_voice_that_is_named_again_is_averaged() -> None:
    known = _known()
    known.note(2, _heard(_like(_ADA, 0.8)))
    known.learn(2, {1: "Ada"})
    assert known.people["Ada"].times == 2
    assert math.hypot(*known.people["Ada"].voice) == 1.0
    assert known.people["Ada"].voice[0] < 1.0


def test_a_voice_that_is_no_longer_kept_is_said() -> None:
    assert KnownVoices().learn(7, {1: "Ada"}) == ["Ada"]


def test_it_is_this_users_alone_and_can_be_forgotten(tmp_path: Path) -> None:
    _known().save(tmp_path)
    path = tmp_path / VOICES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(KnownVoices.load(tmp_path).people) == {"Ada", "Bob"}
    assert forget(tmp_path, "Ada")
    assert not forget(tmp_path, "Ada")
    assert set(KnownVoices.load(tmp_path).people) == {"Bob"}
    assert KnownVoices.load(tmp_path).recent == {}
    assert forget(tmp_path, None)
    assert not path.exists()


def test_a_broken_file_is_as_none(tmp_path: Path) -> None:
    (tmp_path / VOICES).write_text("{")
    assert KnownVoices.load(tmp_path).people == {}
