"""`dropscribe doctor`: what could keep a recording from being transcribed, each with its remedy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.json_output import print_object
from daemon.commands.usage import Seconds
from daemon.config import file as config_file
from daemon.errors import FAILED, OK
from daemon.models import hardware
from daemon.proof.items import Verdict
from daemon.proof.prove import Wishes, prove
from daemon.service.checks import Finding, examine
from daemon.service.manager import Host
from daemon.stages import sandbox


@command(
    examples=[
        ("dropscribe doctor", "before the first recording, or when something is wrong"),
        ("dropscribe doctor --prove", "minutes: settle what only this machine can, as one JSON"),
    ]
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--prove", "proves", is_flag=True, help="Measure this machine; safe to paste.")
@click.option("--dataless", type=click.Path(path_type=Path), help="A file that is only in iCloud.")
@click.option(
    "--finder",
    "finder_seconds",
    type=Seconds(),
    default=0.0,
    help="Seconds, for a Finder copy.",
)
@click.option("--model", default="", help="Run the whole cycle with this model, too.")
@click.option("--only", multiple=True, metavar="ITEM", help="Settle this item (again: also that).")
@click.option("--no-smoke", is_flag=True, help="Do not install the service for a moment.")
def doctor(
    config_path: Path,
    as_json: bool,
    proves: bool,
    dataless: Path | None,
    finder_seconds: float,
    model: str,
    only: tuple[str, ...],
    no_smoke: bool,
) -> int:
    """Look for problems, each with its remedy. Ends with 1 if there are any.

    With --prove, measure what nobody could verify elsewhere, print it as one JSON object without
    names, paths or text, and end with 1 if anything was refuted.
    """
    if proves:
        return _prove(config_path, Wishes(dataless, finder_seconds, not no_smoke, model, only))
    findings = [*examine(config_file.load(config_path), config_path), _sandbox()]
    if as_json:
        print_object({"findings": [asdict(finding) for finding in findings]})
    else:
        tables.print_findings(findings)
    return OK if all(finding.well for finding in findings) else FAILED


def _prove(config_path: Path, wishes: Wishes) -> int:
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend).name
    document = prove(
        config_path,
        config,
        Host(),
        backend,
        wishes,
        lambda item: click.echo(f"{item.name}: {item.verdict}", err=True),
    )
    print_object(document)
    refuted = [item for item in document["items"] if item["verdict"] == Verdict.REFUTED]
    return FAILED if refuted else OK


def _sandbox() -> Finding:
    """What confines the process that decodes recordings."""
    holds = sandbox.available()
    if {"Landlock", "seccomp"} <= set(holds) or "macOS sandbox" in holds:
        return Finding("sandbox", f"recordings are decoded within {' and '.join(holds)}")
    remedy = "drop only recordings that you trust; macOS and Linux 5.13 (x86-64, arm64) can"
    return Finding("sandbox", "this system cannot confine the decoder fully", remedy)
