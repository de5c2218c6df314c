"""`dropscribe languages`: what --language and transcribe.language take."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.json_output import print_line
from daemon.domain.languages import ENGLISH_NAMES
from daemon.errors import OK
from daemon.models.aligners import read_catalogue


@command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def languages(config_path: Path, as_json: bool) -> int:
    """The languages that Whisper knows; a * marks those that have a model for word times."""
    aligned = read_catalogue().models
    for code, name in sorted(ENGLISH_NAMES.items(), key=lambda entry: entry[1]):
        if as_json:
            print_line({"code": code, "name": name.title(), "word_times": code in aligned})
        else:
            print(f"{code:<4} {'*' if code in aligned else ' '} {name.title()}")
    return OK
