"""x"""
from __future__ import annotations
from dataclasses import dataclass
@dataclass(frozen=True, slots=True)
class Turn:
    start: float
    end: float
    speaker: int
@dataclass(frozen=True, slots=True)
class Voice:
    embedding: tuple[float, ...]
