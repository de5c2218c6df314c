"""A real headless Chromium, or the reason why there is none on this machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
MISSING = "" if BROWSER and DRIVER else "no Chromium with chromedriver here (apt: chromium-driver)"


@contextmanager
def browser(downloads: Path, arguments: Sequence[str] = ()) -> Iterator[Chrome]:
    """Its log of the console and of the network is kept; nothing is fetched to start it."""
    options = ChromeOptions()
    options.binary_location = BROWSER or ""
    flags = ["--headless=new", "--no-first-run", "--disable-gpu", "--mute-audio", *arguments]
    if os.geteuid() == 0:  # Chromium refuses to be root's inside its sandbox
        flags.append("--no-sandbox")
    for flag in (*flags, "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"):
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs",
        {"download.default_directory": str(downloads), "download.prompt_for_download": False},
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def complaints(driver: Chrome) -> list[str]:
    """What the console has said since the last call."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requests(driver: Chrome) -> list[str]:
    """Every address that was asked for since the last call."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
    ]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
