"""`dropscribe languages`: what --language and transcribe.language take."""

from __future__ import annotations

import json

import click

from daemon.alignment.catalogue import read_catalogue
from daemon.domain.languages import ENGLISH_NAMES
from daemon.errors import OK


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def languages(as_json: bool) -> int:
    """The languages that Whisper knows; a * marks those that have a model for word times."""
    aligned = read_catalogue().models
    for code, name in sorted(ENGLISH_NAMES.items(), key=lambda entry: entry[1]):
        if as_json:
            line = {"code": code, "name": name.title(), "word_times": code in aligned}
            print(json.dumps(line))
        else:
            print(f"{code:<4} {'*' if code in aligned else ' '} {name.title()}")
    return OK
