"""`dropscribe doctor`: what could keep a recording from being transcribed, each with its remedy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.json_output import print_object
from daemon.config import file as config_file
from daemon.errors import FAILED, OK
from daemon.service.checks import Finding, examine
from daemon.stages import sandbox


@command(examples=[("dropscribe doctor", "before the first recording, or when something is wrong")])
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(config_path: Path, as_json: bool) -> int:
    """Look for problems, each with its remedy. Ends with 1 if there are any."""
    findings = [*examine(config_file.load(config_path), config_path), _sandbox()]
    if as_json:
        print_object({"findings": [asdict(finding) for finding in findings]})
    else:
        tables.print_findings(findings)
    return OK if all(finding.well for finding in findings) else FAILED


def _sandbox() -> Finding:
    """What confines the process that decodes recordings."""
    holds = sandbox.available()
    if {"Landlock", "seccomp"} <= set(holds) or "macOS sandbox" in holds:
        return Finding("sandbox", f"recordings are decoded within {' and '.join(holds)}")
    remedy = "drop only recordings that you trust; macOS and Linux 5.13 (x86-64, arm64) can"
    return Finding("sandbox", "this system cannot confine the decoder fully", remedy)
