"""What doctor looked at, and what to do where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem has a remedy; what is well has none."""

    topic: str
    text: str
    remedy: str = ""

    @property
    def well(self) -> bool:
        return not self.remedy
