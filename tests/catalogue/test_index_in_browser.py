"""index.html in a real Chromium: search in all texts, and the way to the spot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from daemon.catalogue.database import Database
from daemon.catalogue.index import write_index
from daemon.catalogue.sync import sync
from daemon.rendering.formats import render
from daemon.rendering.material import Material
from daemon.rendering.transcript import Transcript
from tests.kit.browser import MISSING, browser, complaints, requests
from tests.kit.sample_transcripts import document, said

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("downloads")) as driver:
        yield driver


@pytest.fixture
def index(chromium: Chrome, tmp_path: Path) -> Iterator[Chrome]:
    """The index of an outbox, opened; nothing may be complained of, nor fetched from elsewhere."""
    outbox = tmp_path / "out box"
    outbox.mkdir()
    texts = {
        "talk #1": [said("We met. The Budgét was agreed in Vienna.", 60, 68)],
        "zh": [said("今天的天气很好。", 0, 3)],
        HOSTILE.replace("/", "_"): [said(f"{HOSTILE} budget", 0, 3)],
    }
    for stem, segments in texts.items():
        whole = document(segments)
        (outbox / f"{stem}.json").write_text(json.dumps(whole), encoding="utf-8")
        page = render(Material(Transcript.from_document(whole, stem), index="index.html"), ["html"])
        (outbox / f"{stem}.html").write_bytes(page["html"])
    with closing(Database(tmp_path / "search.db")) as database:
        sync(database, outbox)
        write_index(database, outbox, None, time.time())
    complaints(chromium), requests(chromium)
    chromium.get((outbox / "index.html").as_uri())
    yield chromium
    assert complaints(chromium) == []
    assert all(one.startswith(("file:", "data:")) for one in requests(chromium))


def _found(driver: Chrome, words: str, count: str) -> list[Any]:
    field = driver.find_element(By.ID, "find")
    field.clear()
    field.send_keys(words)
    deadline = time.monotonic() + 30
    while driver.find_element(By.ID, "count").text != count:
        assert time.monotonic() < deadline, driver.find_element(By.ID, "count").text
        time.sleep(0.05)
    return list(driver.find_elements(By.CSS_SELECTOR, "#results li"))


def test_every_recording_is_listed(index: Chrome) -> None:
    names = [link.text for link in index.find_elements(By.CSS_SELECTOR, "a.name")]
    assert sorted(names) == sorted(["talk #1", "zh", HOSTILE])


def test_a_hit_leads_to_the_page_at_the_spot(index: Chrome) -> None:
    (row,) = _found(index, "budget vienna", "1")
    assert "The Budgét was agreed in Vienna." in row.text
    marked = [mark.text for mark in row.find_elements(By.TAG_NAME, "mark")]
    assert marked == ["Budgét", "Vienna"]
    row.find_element(By.TAG_NAME, "a").click()
    assert index.title == "talk #1"
    assert index.find_element(By.ID, "find").get_attribute("value") == "budget vienna"
    assert index.find_element(By.ID, "clock").text.startswith("1:02")
    index.find_element(By.CLASS_NAME, "home").click()
    assert index.title == "Recordings"


def test_unspaced_scripts_are_searched_too(index: Chrome) -> None:
    (row,) = _found(index, "天气", "1")
    assert row.find_element(By.TAG_NAME, "mark").text == "天气"


def test_hostile_names_and_words_stay_text(index: Chrome) -> None:
    rows = _found(index, "budget", "2")
    assert any(HOSTILE in row.text for row in rows)
    assert index.execute_script("return window.hacked") is None


def test_nothing_found_is_said(index: Chrome) -> None:
    assert _found(index, "zebra", "nothing") == []
