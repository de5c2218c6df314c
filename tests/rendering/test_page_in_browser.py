"""The page in a real Chromium, opened as a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from daemon.rendering.formats import render
from daemon.rendering.material import Material
from tests.kit.browser import MISSING, browser, complaints, requests
from tests.kit.sample_transcripts import SAMPLES, document, said, sample, transcript

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
RECORDING = SAMPLES / "memo-10s.wav"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def chromium(folder: Path) -> Iterator[Chrome]:
    with browser(folder) as driver:
        yield driver


Opened = Callable[..., Chrome]


@pytest.fixture
def opened(chromium: Chrome, folder: Path) -> Iterator[Opened]:
    """Opens a page of this material; afterwards nothing may have been complained of or fetched."""

    def page(material: Material | None = None, hash_: str = "") -> Chrome:
        recordings = (os.path.relpath(RECORDING, folder),)
        chosen = material or Material(sample("memo-10s"), recordings=recordings)
        path = folder / "page.html"
        path.write_bytes(render(chosen, ["html"])["html"])
        chromium.get("about:blank")
        chromium.get(path.as_uri() + hash_)
        return chromium

    complaints(chromium), requests(chromium)
    yield page
    said = [line for line in complaints(chromium) if "ERR_FILE_NOT_FOUND" not in line]
    assert said == []
    addresses = [one for one in requests(chromium) if not one.startswith(("data:", "about:"))]
    assert all(one.startswith(("file:", "blob:file:", "blob:null")) for one in addresses)


def _until(driver: Chrome, script: str) -> Any:  # noqa: ANN401
    """What the script returns as soon as it is true."""
    deadline = time.monotonic() + 30
    while not (found := driver.execute_script(f"return {script}")):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)
    return found


def _words(driver: Chrome) -> list[Any]:
    return list(driver.find_elements(By.CSS_SELECTOR, "#text p span"))


def _time(driver: Chrome) -> float:
    return float(driver.execute_script("return document.getElementById('media').currentTime"))


def _press(driver: Chrome, *keys: str) -> None:
    driver.switch_to.active_element.send_keys(*keys)


READY = "document.getElementById('media').readyState >= 1"


def test_a_click_on_a_word_takes_the_player_there(opened: Opened) -> None:
    driver = opened()
    _until(driver, READY)
    expected = sample("memo-10s").segments[0].words
    for at in (5, 20, 0):
        _words(driver)[at].click()
        assert _time(driver) == pytest.approx(expected[at].start, abs=0.01)
        lit = driver.find_elements(By.CLASS_NAME, "lit")
        assert [word.text for word in lit] == [expected[at].word]


def test_words_light_up_as_they_are_spoken(opened: Opened) -> None:
    driver = opened()
    _until(driver, READY)
    driver.find_element(By.ID, "play").click()
    first = _until(
        driver, "document.querySelector('.lit') && document.querySelector('.lit').textContent"
    )
    _until(driver, f"document.querySelector('.lit').textContent !== {first!r}")
    assert driver.execute_script("return !document.getElementById('media').paused")


def test_keys_drive_the_player(opened: Opened) -> None:
    driver = opened()
    _until(driver, READY)
    _press(driver, " ")
    _until(driver, "!document.getElementById('media').paused")
    _press(driver, "k")
    _until(driver, "document.getElementById('media').paused")
    driver.execute_script("document.getElementById('media').currentTime = 6")
    _press(driver, Keys.ARROW_LEFT)
    assert _time(driver) == pytest.approx(1.0, abs=0.1)
    before = _time(driver)
    _press(driver, Keys.SHIFT, Keys.ARROW_RIGHT)
    driver.switch_to.active_element.send_keys(Keys.NULL)
    starts = [word.start for word in sample("memo-10s").segments[0].words]
    assert _time(driver) == pytest.approx(min(s for s in starts if s > before), abs=0.01)
    _press(driver, ">")
    assert driver.execute_script("return document.getElementById('media').playbackRate") == 1.25
    _press(driver, "?")
    assert driver.find_element(By.ID, "keys").is_displayed()


def test_search_finds_regardless_of_case_and_accents(opened: Opened) -> None:
    row = [said("Déjà vu, said ANNA.", 0, 2), said("Deja VU again.", 4, 6)]
    driver = opened(Material(transcript(*row)))
    _press(driver, "/")
    _press(driver, "deja vu")
    assert driver.find_element(By.ID, "found").text == "1 / 2"
    _press(driver, Keys.ENTER)
    assert driver.find_element(By.ID, "found").text == "2 / 2"
    now = [word.text for word in driver.find_elements(By.CLASS_NAME, "now")]
    assert now == ["Deja", "VU"]
    _press(driver, Keys.ESCAPE)
    assert not driver.find_elements(By.CLASS_NAME, "hit")


def test_words_that_never_stand_in_a_row_are_found_one_by_one(opened: Opened) -> None:
    driver = opened(Material(transcript(said("We met in Vienna. We left.", 0, 3))))
    driver.find_element(By.ID, "find").send_keys("vienna met")
    assert driver.find_element(By.ID, "found").text == "1 / 2"
    hits = [word.text for word in driver.find_elements(By.CLASS_NAME, "hit")]
    assert hits == ["met", "Vienna."]


def test_search_runs_across_words_of_an_unspaced_script(opened: Opened) -> None:
    driver = opened(Material(transcript(said("今天的天气很好。", 0, 3), language="zh")))
    driver.find_element(By.ID, "find").send_keys("天的天")
    assert driver.find_element(By.ID, "found").text == "1 / 1"


def test_the_address_may_name_a_spot_and_words(opened: Opened) -> None:
    driver = opened(hash_="#t=4.2&q=report")
    _until(driver, READY)
    _until(driver, "Math.abs(document.getElementById('media').currentTime - 4.2) < 0.01")
    assert driver.find_element(By.ID, "find").get_attribute("value") == "report"


HOSTILE = "<img src=x onerror=window.hacked=1></script><script>window.hacked=1</script>&lt;"


def test_hostile_names_and_words_stay_text(opened: Opened) -> None:
    whole = document(
        [said(HOSTILE, 0, 3, speaker=HOSTILE)],
        check=[{"start": 0, "end": 1, "reason": HOSTILE}],
        provenance={"source": HOSTILE, "warnings": [HOSTILE]},
    )
    found = transcript().from_document(whole, HOSTILE)
    driver = opened(Material(found, recordings=(f"../{HOSTILE}", "javascript:window.hacked=1")))
    assert driver.title == HOSTILE
    assert driver.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert driver.find_element(By.CLASS_NAME, "who").text == HOSTILE
    assert "".join(word.text for word in _words(driver)) == "".join(HOSTILE.split())
    assert driver.execute_script("return window.hacked") is None


def test_a_recording_that_has_gone_can_be_pointed_to(opened: Opened) -> None:
    material = Material(sample("memo-10s"), recordings=("gone.wav", "also gone.wav"))
    driver = opened(material)
    _until(driver, "!document.getElementById('missing').hidden")
    driver.find_element(By.ID, "file").send_keys(str(RECORDING.resolve()))
    _until(driver, READY)
    _words(driver)[5].click()
    assert _time(driver) > 0


def test_another_recording_of_that_name_is_not_taken_for_ours(opened: Opened, folder: Path) -> None:
    """In done/, the name may belong to an older recording: its length tells."""
    material = Material(
        replace(sample("memo-10s"), duration=100.0),
        recordings=(os.path.relpath(RECORDING, folder),),
    )
    driver = opened(material)
    _until(driver, "!document.getElementById('missing').hidden")


def test_subtitles_can_be_saved_from_the_page(opened: Opened, folder: Path) -> None:
    material = Material(sample("memo-10s"))
    driver = opened(material)
    driver.execute_script(
        "const save = document.getElementById('export'); save.value = 'srt';"
        "save.dispatchEvent(new Event('change'));"
    )
    saved = folder / "memo-10s.srt"
    deadline = time.monotonic() + 30
    while not saved.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert saved.read_bytes() == render(material, ["srt"])["srt"]


def test_the_spots_worth_a_listen_can_be_reached(opened: Opened, folder: Path) -> None:
    found = sample("memo-10s", check=[{"start": 2.0, "end": 3.0, "reason": "clipped"}])
    driver = opened(Material(found, recordings=(os.path.relpath(RECORDING, folder),)))
    _until(driver, READY)
    driver.find_element(By.CSS_SELECTOR, "[data-spot]").click()
    assert _time(driver) == pytest.approx(2.0, abs=0.01)
    driver.execute_script(
        "document.getElementById('media').currentTime = 0; document.activeElement.blur()"
    )
    _press(driver, "n")
    assert _time(driver) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int) -> None:
    long = said("A" * 300 + " and so on.", 0, 5, speaker="B" * 100)
    driver = opened(Material(transcript(long, name="C" * 200)))
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark(opened: Opened) -> None:
    driver = opened()
    paper = "return getComputedStyle(document.body).backgroundColor"
    before = driver.execute_script(paper)
    driver.find_element(By.ID, "theme").click()
    assert driver.execute_script(paper) != before
    driver.find_element(By.ID, "theme").click()
    assert driver.execute_script(paper) == before
