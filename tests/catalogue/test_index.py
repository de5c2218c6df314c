"""index.html: what is going on, and every recording."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.catalogue.database import PAGE, Database
from daemon.catalogue.index import FOLDER, NAME, ForeignIndexError, write_index
from daemon.catalogue.queue_view import Failed, QueueView, Running
from daemon.catalogue.sync import sync
from tests.kit.sample_transcripts import document, said

NOON = 1_790_000_000.0  # a Unix time
DAY = 86_400
HOSTILE = "<img src=x onerror=alert(1)> \"' & {{ 1 }}"
QUEUE = QueueView(
    state="working",
    reason="",
    running=(Running("board.m4a", "transcribe", 620, "about 2 min"),),
    waiting=("next.wav",),
    waiting_count=1,
    failed=(Failed(HOSTILE, "2026-11-27", HOSTILE, "dropscribe retry 12"),),
    failed_count=1,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    folder.mkdir()
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "search.db")) as opened:
        yield opened


def _deliver(outbox: Path, stem: str, text: str = "Something.", when: float = NOON) -> None:
    path = outbox / f"{stem}.json"
    path.write_text(json.dumps(document([said(text, 0, 90)])), encoding="utf-8")
    (outbox / f"{stem}.html").write_text("a page")
    os.utime(path, (when, when))


def _written(database: Database, outbox: Path, queue: QueueView | None = None) -> str:
    sync(database, outbox)
    write_index(database, outbox, queue, NOON)
    return (outbox / NAME).read_text("utf-8")


def test_the_newest_come_first_by_day(database: Database, outbox: Path) -> None:
    for age, name in enumerate(["today", "yesterday", "older"]):
        _deliver(outbox, name, when=NOON - age * DAY)
    page = _written(database, outbox)
    assert re.findall(r'class="name" dir="auto" href="./(\w+).html"', page) == [
        "today",
        "yesterday",
        "older",
    ]
    days = re.findall(r"<h2>(.*?)</h2>", page)
    assert days[-3:-1] == ["Today", "Yesterday"]
    assert "3 recordings · 4 min · 3 words" in page or "3 recordings · 5 min · 3 words" in page


def test_what_goes_on_and_what_failed_is_told(database: Database, outbox: Path) -> None:
    page = _written(database, outbox, QUEUE)
    assert "board.m4a" in page
    assert "<span>62 %</span><span>about 2 min left</span>" in page
    assert "<code>dropscribe retry 12</code>" in page
    assert '"busy":true' in page


def test_names_and_reasons_are_escaped(database: Database, outbox: Path) -> None:
    _deliver(outbox, HOSTILE.replace("/", "_"), HOSTILE)
    page = _written(database, outbox, QUEUE)
    assert "<img" not in page
    assert page.count("<script") == 2
    assert HOSTILE in html.unescape(page)
    texts = (outbox / FOLDER / "texts-0.js").read_text("utf-8")
    assert "<" not in texts
    assert json.loads(texts.removeprefix("dropscribeShard(0,").removesuffix(");\n"))


def test_a_delivery_rewrites_only_the_page_it_is_on(database: Database, outbox: Path) -> None:
    for number in range(2 * PAGE + 50):
        _deliver(outbox, f"memo {number}", when=NOON - 1000 + number)
    _written(database, outbox)
    pages = sorted((outbox / FOLDER).glob("page-*.html"))
    assert [page.name for page in pages] == ["page-0.html", "page-1.html", "page-2.html"]
    before = {path: path.stat().st_ino for path in (outbox / FOLDER).iterdir()}
    _deliver(outbox, "one more")
    index = _written(database, outbox)
    after = {path: path.stat().st_ino for path in (outbox / FOLDER).iterdir()}
    changed = {path.name for path in after if after[path] != before[path]}
    assert changed == {"page-2.html", "texts-2.js"}
    assert index.count('class="name"') == PAGE
    assert 'href=".index/page-0.html"' in index
    listed = "".join(page.read_text("utf-8") for page in pages)
    assert all(f">memo {number}<" in listed for number in range(2 * PAGE + 50))


def test_what_has_gone_is_listed_no_more(database: Database, outbox: Path) -> None:
    _deliver(outbox, "memo")
    assert ">memo<" in _written(database, outbox)
    (outbox / "memo.json").unlink()
    assert ">memo<" not in _written(database, outbox)
    assert "memo" not in (outbox / FOLDER / "texts-0.js").read_text("utf-8")


def test_minutes_a_day(database: Database, outbox: Path) -> None:
    _deliver(outbox, "new")
    _deliver(outbox, "old", when=NOON - 3 * DAY)
    _deliver(outbox, "too old", when=NOON - 90 * DAY)
    page = _written(database, outbox)
    assert len(re.findall(r"<title>[^<]*: 2 min</title>", page)) == 2
    assert len(re.findall(r"<title>[^<]*: 0 min</title>", page)) == 28


def test_somebody_elses_index_is_left_alone(database: Database, outbox: Path) -> None:
    (outbox / NAME).write_text("<title>My site</title>")
    with pytest.raises(ForeignIndexError, match="it is left as it is"):
        _written(database, outbox)
    assert (outbox / NAME).read_text() == "<title>My site</title>"
    assert not (outbox / FOLDER).exists()


def test_a_link_that_was_planted_is_not_followed(
    database: Database, outbox: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (outbox / FOLDER).symlink_to(elsewhere)
    _deliver(outbox, "memo")
    with pytest.raises(ForeignIndexError, match="is a link"):
        _written(database, outbox)
    assert list(elsewhere.iterdir()) == []


def test_an_address_is_harmless_whatever_the_name_holds(database: Database, outbox: Path) -> None:
    _deliver(outbox, "javascript:alert(1)#?%")
    page = _written(database, outbox)
    assert 'href="./javascript%3Aalert%281%29%23%3F%25.html"' in page


def test_an_empty_outbox_says_what_to_do(database: Database, outbox: Path) -> None:
    assert "Drop a recording into the inbox." in _written(database, outbox)
