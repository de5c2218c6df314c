"""Jinja2, set up so that everything is escaped, and pages that allow only what is in them."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

    from daemon.domain.transcript import Json

_FOLDER = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    import jinja2  # noqa: PLC0415 - for pages only

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _part(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def rendered(name: str, data: Json, scripts_beside: bool = False, **values: object) -> bytes:
    """`templates/NAME.html` with its style, its script and the script's `data` embedded.

    `scripts_beside`: whether the page may load script files that lie beside it.
    """
    from markupsafe import Markup  # noqa: PLC0415 - for pages only

    style, script = _part("shared.css") + _part(f"{name}.css"), _part(f"{name}.js")
    template = _environment().get_template(f"{name}.html")
    page = template.render(
        values,
        data=Markup(harmless_json(data)),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script, " 'self' file:" if scripts_beside else ""),
    )
    return page.encode()


def _policy(style: str, script: str, beside: str) -> str:
    """Content-Security-Policy: this style and script, media; no request, no form, no base."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'{beside};"
        " img-src data:; media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def harmless_json(data: object) -> str:
    """JSON in which no text can end a script element, or begin a comment in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
