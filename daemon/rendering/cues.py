"""Where a transcript is cut into subtitles, and how long they stay on the screen.

The cuts of a whole stretch of speech are chosen together (dynamic programming over the words, as
Knuth and Plass break paragraphs into lines), so that the rest of a sentence does not become a
cue of its own: cuts after sentences cost nothing, after phrases little, elsewhere more; orphans,
flashes and cues too fast to read cost most. The rules are in `limits.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from daemon.domain.transcript import Segment
from daemon.rendering.limits import Limits
from daemon.rendering.lines import Row, break_cost, break_lines
from daemon.rendering.units import SENTENCE, Unit, joined, units

_CUE = 1.0  # every cue costs a little: of equal cuts, the fewer
_CUT = 3.0  # times break_cost
_SECOND_SENTENCE = 4.0  # one sentence a cue, where there is time to read it
_TOO_SHORT = 30.0
_FAST, _FASTER = 5.0, 25.0  # beyond the reading speed, and at twice of it
_ORPHAN = 40.0
_DIALOGUE = 3.0
DASH = "- "


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on the screen from `start` to `end` (seconds).

    `rows` are its lines, as words with times; in a `dialogue` each is another speaker's.
    """

    start: float
    end: float
    rows: tuple[Row, ...]
    dialogue: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        dash = DASH if self.dialogue else ""
        return tuple(dash + joined(row) for row in self.rows)


def cues(segments: Sequence[Segment], limits: Limits, language: str) -> list[Cue]:
    """All cues in order; none overlaps the next."""
    row = units(segments, language, limits.columns)
    found: list[Cue] = []
    for first, last in _stretches(row, limits.pause):
        following = row[last].start if last < len(row) else math.inf
        planner = _Planner(row[first:last], following, limits, language)
        found.extend(planner.cue(*cut) for cut in planner.cuts())
    return found


def _stretches(row: Sequence[Unit], pause: float) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of the units between pauses: a pause always ends a cue."""
    begun = 0
    for at in range(1, len(row)):
        if row[at].start - row[at - 1].end >= pause:
            yield begun, at
            begun = at
    if row:
        yield begun, len(row)


class _Planner:
    """Finds the cheapest way to cut a stretch of speech into cues."""

    def __init__(
        self, row: Sequence[Unit], following: float, limits: Limits, language: str
    ) -> None:
        self._row = row
        self._following = following  # when the next stretch begins
        self._limits = limits
        self._language = language
        self._breaks = [0.0, *(break_cost(row, at, language) for at in range(1, len(row) + 1))]
        self._breaks[-1] = 0.0
        # Sums over the first n units, so that no question walks over a cue's units again.
        self._widths = [0, *accumulate(unit.columns + unit.space for unit in row)]
        self._sentences = [0, *accumulate(unit.ends == SENTENCE for unit in row)]

    def cuts(self) -> list[tuple[int, int]]:
        """(first, last + 1) of the units of each cue."""
        count = len(self._row)
        cheapest = [0.0] + [math.inf] * count
        came_from = [0] * (count + 1)
        allowed = self._allowed()
        for first in range(count):
            if cheapest[first] == math.inf:
                continue
            for last in self._ends(first, allowed):
                cost = cheapest[first] + self._cost(first, last)
                if cost < cheapest[last]:
                    cheapest[last], came_from[last] = cost, first
        found, at = [], count
        while at:
            found.append((came_from[at], at))
            at = came_from[at]
        return found[::-1]

    def cue(self, first: int, last: int) -> Cue:
        row, limits = tuple(self._row[first:last]), self._limits
        if change := self._change(first, last):
            rows: tuple[Row, ...] = (row[: change - first], row[change - first :])
        else:
            rows = break_lines(row, limits.columns, limits.lines, self._language)
        width = self._width(first, last)
        end = _end(row[0].start, row[-1].end, self._after(last), limits, width)
        return Cue(round(row[0].start, 3), round(end, 3), rows, dialogue=change is not None)

    def _after(self, last: int) -> float:
        """When the unit number `last` begins; never, as far as a stretch knows, after its end."""
        return self._row[last].start if last < len(self._row) else self._following

    def _allowed(self) -> list[bool]:
        """For each place between units, whether a cut may be there: none in a sentence that fits
        into a cue."""
        allowed = [True] * (len(self._row) + 1)
        begun, limits = 0, self._limits
        for at, unit in enumerate(self._row, start=1):
            changes = at == len(self._row) or self._row[at].turn != unit.turn
            if unit.ends != SENTENCE and not changes:
                continue
            seconds = unit.end - self._row[begun].start
            if seconds <= limits.longest and self._fits(begun, at, limits.columns, limits.lines):
                allowed[begun + 1 : at] = [False] * (at - begun - 1)
            begun = at
        return allowed

    def _ends(self, first: int, allowed: Sequence[bool]) -> Iterator[int]:
        """Where a cue that begins with unit `first` may end; a single unit always may."""
        if allowed[first + 1]:
            yield first + 1
        for last in range(first + 2, len(self._row) + 1):
            begins, ends = self._row[first], self._row[last - 1]
            if ends.end - begins.start > self._limits.longest:
                return
            if begins.turn == ends.turn:
                if not self._fits(first, last, self._limits.columns, self._limits.lines):
                    return
            elif not self._is_dialogue(first, last):
                return
            if allowed[last]:
                yield last

    def _width(self, first: int, last: int) -> int:
        """Columns to read in these units, the spaces between them included."""
        return self._widths[last] - self._widths[first] - self._row[first].space

    def _fits(self, first: int, last: int, columns: int, lines: int) -> bool:
        """Whether the units go into that many lines of that many columns, filled greedily."""
        for _ in range(lines):
            room = self._widths[first] + self._row[first].space + columns
            following = bisect_right(self._widths, room, first + 1) - 1
            if following >= last:
                return True
            if following == first:  # wider than a line
                return False
            first = following
        return False

    def _change(self, first: int, last: int) -> int | None:
        """Where the speaker changes within these units; None if they are of a single one."""
        turn = self._row[first].turn
        if self._row[last - 1].turn == turn:
            return None
        return next(at for at in range(first, last) if self._row[at].turn != turn)

    def _is_dialogue(self, first: int, last: int) -> bool:
        """Whether two speakers fit into a cue, a line for each (Netflix: dual speakers)."""
        change = self._change(first, last)
        if change is None or self._row[change].turn != self._row[last - 1].turn:
            return False
        width = self._limits.columns - len(DASH)
        both = self._fits(first, change, width, 1) and self._fits(change, last, width, 1)
        return both and self._limits.lines >= 2

    def _cost(self, first: int, last: int) -> float:
        begins, ends, limits = self._row[first], self._row[last - 1], self._limits
        width = self._width(first, last)
        end = _end(begins.start, ends.end, self._after(last), limits, width)
        shown = max(end - begins.start, 0.001)
        inner_sentences = self._sentences[last - 1] - self._sentences[first]
        cost = _CUE + _CUT * self._breaks[last] + _SECOND_SENTENCE * inner_sentences
        if shown < limits.shortest:
            cost += _TOO_SHORT * (1 - shown / limits.shortest)
        if (excess := width / shown / limits.speed - 1) > 0:
            cost += _FAST + _FASTER * excess
        if begins.turn != ends.turn:
            cost += _DIALOGUE
        return cost + _ORPHAN * self._is_orphan(first, last)

    def _is_orphan(self, first: int, last: int) -> float:
        """1 for a single word torn from its sentence, less for two or three, 0 for a sentence."""
        begins = first == 0 or self._row[first - 1].ends == SENTENCE
        if last - first > 3 or (begins and self._row[last - 1].ends == SENTENCE):
            return 0.0
        if begins and last == len(self._row):
            return 0.0
        return 1.0 / (last - first) ** 2


def _end(start: float, spoken: float, following: float, limits: Limits, length: int) -> float:
    """When a cue leaves the screen.

    `spoken` is its last word's end, `following` the next cue's start, `length` what there is to
    read, in columns.
    """
    needed = min(start + length / limits.speed, spoken + limits.linger)
    end = min(max(spoken, start + limits.shortest, needed), start + limits.longest)
    latest = following - limits.gap
    if following - end < limits.chain:  # close a gap that would only flicker
        end = min(latest, start + limits.longest)
    if end - start < limits.shortest or end > latest:  # no room for a gap: touch the next cue
        end = min(following, max(end, start + limits.shortest))
        end = following if end > latest else end
    return max(end, start)
