"""The search index follows the outbox, and finds what was said in any script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.catalogue.database import Database
from daemon.catalogue.sync import sync
from daemon.domain.transcript import Segment
from tests.kit.sample_transcripts import NAMES, SAMPLES, document, said, sample_segments, truth


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    folder.mkdir()
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "search.db")) as opened:
        yield opened


def _deliver(outbox: Path, stem: str, *segments: Segment, language: str = "en") -> Path:
    path = outbox / f"{stem}.json"
    path.write_text(json.dumps(document(segments, language)), encoding="utf-8")
    return path


def _stems(database: Database, words: str) -> list[str]:
    return [hit.stem for hit in database.search(words, 20)]


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_of_a_sample_is_found_where_it_was_said(
    name: str, outbox: Path, database: Database
) -> None:
    path = SAMPLES / f"{name}.truth.json"
    _deliver(outbox, name, *sample_segments(path), language=truth(path)["language"])
    assert sync(database, outbox) == 1
    for sentence in truth(path)["sentences"][:20]:
        hits = database.search(f'"{sentence["text"]}"', 20)
        assert any(abs(hit.start - sentence["start"]) < 0.5 for hit in hits), sentence


@pytest.mark.parametrize(
    ("said_", "language", "sought"),
    [
        ("今天的天气很好。", "zh", "天气"),
        ("真っ昼間なのにキャンプの外れ", "ja", "キャンプ"),
        ("วันนี้อากาศดีมาก", "th", "อากาศ"),
        ("हिन्दी में बात करते हैं", "hi", "हिन्दी"),
        ("مرحبا بالعالم", "ar", "بالعالم"),
        ("Ça s'est passé à Zürich", "fr", "zurich passe"),
        ("ﬁne print", "en", "fine"),
    ],
)
def test_every_script_can_be_searched(
    said_: str, language: str, sought: str, outbox: Path, database: Database
) -> None:
    _deliver(outbox, "one", said(said_, 0, 3), language=language)
    _deliver(outbox, "two", said("Something else.", 0, 3))
    sync(database, outbox)
    assert _stems(database, sought) == ["one"]


def test_a_hit_has_its_context_and_the_time_of_its_sentence(
    outbox: Path, database: Database
) -> None:
    _deliver(outbox, "memo", said("We met. The budget was agreed. It rained.", 10, 18))
    sync(database, outbox)
    (hit,) = database.search("budget", 5)
    assert (hit.before, hit.found, hit.after) == (
        "We met. The ", "budget", " was agreed. It rained.",
    )  # fmt: skip
    assert hit.start == pytest.approx(12.0, abs=0.01)


def test_the_index_follows_the_outbox(outbox: Path, database: Database) -> None:
    path = _deliver(outbox, "memo", said("An apple.", 0, 1))
    _deliver(outbox, "talk", said("A pear.", 0, 1))
    assert sync(database, outbox) == 2
    assert sync(database, outbox) == 0
    _deliver(outbox, "memo", said("A much longer orange.", 0, 1))
    assert sync(database, outbox) == 1
    assert (_stems(database, "apple"), _stems(database, "orange")) == ([], ["memo"])
    path.unlink()
    sync(database, outbox)
    assert _stems(database, "orange") == []
    assert _stems(database, "pear") == ["talk"]


def test_what_is_no_transcript_is_passed_over(outbox: Path, database: Database) -> None:
    _deliver(outbox, "memo", said("An apple.", 0, 1))
    (outbox / "memo.timing.json").write_text('{"words": []}')
    (outbox / "memo.verbose.json").write_text('{"text": "apple"}')
    (outbox / "notes.json").write_text("[1, 2")
    (outbox / "other.json").write_text('{"segments": [{"start": "x"}]}')
    (outbox / ".hidden.json").write_text("{}")
    (outbox / "link.json").symlink_to(outbox / "memo.json")
    sync(database, outbox)
    assert [entry.stem for entry in database.entries()] == ["memo"]


def test_folders_in_the_outbox_are_searched(outbox: Path, database: Database) -> None:
    (outbox / "a trip" / "day 1").mkdir(parents=True)
    (outbox / "link").symlink_to(outbox / "a trip")
    _deliver(outbox, "a trip/day 1/memo", said("An apple.", 0, 1))
    sync(database, outbox)
    assert _stems(database, "apple") == ["a trip/day 1/memo"]


def test_a_damaged_index_is_made_anew(tmp_path: Path, outbox: Path) -> None:
    path = tmp_path / "search.db"
    path.write_bytes(b"no database" * 1000)
    _deliver(outbox, "memo", said("An apple.", 0, 1))
    with closing(Database(path)) as database:
        sync(database, outbox)
        assert _stems(database, "apple") == ["memo"]


def test_the_newest_come_first(outbox: Path, database: Database) -> None:
    for number in range(3):
        _deliver(outbox, f"memo {number}", said("An apple.", 0, 1))
        sync(database, outbox)
    assert _stems(database, "apple") == ["memo 2", "memo 1", "memo 0"]
