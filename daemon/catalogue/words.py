"""How text becomes searchable, and a person's words a full-text query."""

from __future__ import annotations

import re
import unicodedata

from daemon.rendering.text import graphemes, is_unspaced

# Between the characters of scripts without spaces: each is a word of its own, and a query for
# several finds them side by side. Invisible, and taken out again before text is shown.
SEAM = "\u200b"
_PARTS = re.compile(r'"([^"]*)"?|(\S+)')


def searchable(text: str) -> str:
    """`text` with seams between the characters of unspaced scripts; compatible forms made one."""
    normal = unicodedata.normalize("NFKC", text)
    if normal.isascii():
        return normal
    return "".join(
        f"{SEAM}{cluster}{SEAM}" if is_unspaced(cluster) else cluster
        for cluster in graphemes(normal)
    )


def readable(text: str) -> str:
    """What `searchable` made, as it is shown."""
    return text.replace(SEAM, "")


def full_text_query(words: str) -> str:
    """An FTS5 expression: all of the words, "several in a row" in quotes, word* for beginnings.

    Nothing that a person types can be an operator or a syntax error. "" if nothing can be sought.
    """
    terms = [_term(phrase or word, phrase=bool(phrase)) for phrase, word in _PARTS.findall(words)]
    return " AND ".join(term for term in terms if term)


def _term(text: str, *, phrase: bool) -> str:
    beginning = not phrase and len(text) > 1 and text.endswith("*")
    plain = searchable(text.rstrip("*") if beginning else text).replace('"', " ").replace("\0", "")
    if not any(char.isalnum() for char in plain):
        return ""
    return f'"{plain.strip(SEAM)}"' + "*" * beginning
