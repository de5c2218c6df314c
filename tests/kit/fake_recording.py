"""What a fake recording holds: what is said in it, and how the fake stages should misbehave.

It is text. A line `@STAGE BEHAVIOUR` is for that stage (misbehaviour.py); any other is a segment.
"""

from __future__ import annotations


def recording(said: str, *misbehaviour: str) -> bytes:
    """Its bytes. A misbehaviour is `STAGE BEHAVIOUR`."""
    return "\n".join([said, *(f"@{line}" for line in misbehaviour), ""]).encode()


def said(content: bytes) -> list[str]:
    """The text of each segment."""
    lines = (line.strip() for line in content.decode("utf-8", "replace").split("\n"))
    return [line for line in lines if line and not line.startswith("@")]


def behaviour(content: bytes, stage: str) -> str:
    """What it asks of that stage: "" to work as it should."""
    for line in content.decode("utf-8", "replace").split("\n"):
        name, _, rest = line.partition(" ")
        if name == f"@{stage}":
            return rest.strip()
    return ""
