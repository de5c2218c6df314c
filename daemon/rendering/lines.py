"""How a cue's text is broken into lines: at natural points, balanced, never wider than allowed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from daemon.rendering.units import CLAUSE, SENTENCE, Unit

# Words that belong to what follows them: no line and no cue should end with one (Netflix, General
# Requirements, 4: a line is broken before prepositions and conjunctions, after no article).
_BOUND_TO_NEXT = {
    "en": "a an the this that these those my your his her its our their and or but nor so if when"
    " while because although as than of in on at by for with from to into onto about over under"
    " between through after before without within is are was were be been am do does did has have"
    " had will would can could should must may might not i you he she we they it who which mr mrs"
    " ms dr very no",
    "de": "der die das den dem des ein eine einen einem einer eines mein dein sein ihr unser und"
    " oder aber denn weil dass wenn als ob in im an am auf aus bei mit nach von vom zu zum zur für"
    " über unter vor durch gegen ohne um ich du er sie es wir ihr ist sind war hat haben nicht"
    " kein keine sehr herr frau",
    "fr": "le la les l' un une des du de d' ce cet cette ces mon ton son ma ta sa mes tes ses notre"
    " votre leur nos vos leurs et ou mais car que qui dont où si en à au aux dans sur sous par pour"
    " avec sans chez vers je tu il elle on nous vous ils elles ne se me te est sont a ont très m."
    " mme",
    "es": "el la los las un una unos unas de del al y e o u pero que porque si cuando como en a con"
    " por para sin sobre entre desde hasta mi tu su mis tus sus yo no se me te lo le es son está"
    " ha han muy este esta ese esa",
    "it": "il lo la i gli le l' un uno una di del della dei delle a al alla da dal dalla in nel"
    " nella con su per tra fra e o ma che se non mi ti si è sono ha hanno molto mio tuo suo questo"
    " questa",
    "pt": "o a os as um uma de do da dos das em no na nos nas por para com sem sobre e ou mas que"
    " se não me te é são está muito meu seu este esta",
    "nl": "de het een en of maar want dat die in op aan van voor met door over naar bij uit te ik"
    " jij hij zij wij is zijn was heeft niet geen mijn",
}
_WORDS = {language: frozenset(words.split()) for language, words in _BOUND_TO_NEXT.items()}
_NO_WORDS: frozenset[str] = frozenset()

_AFTER_CLAUSE, _BEFORE_PHRASE, _ANYWHERE, _AFTER_BOUND = 1.0, 3.0, 5.0, 9.0
_FIRST_LONGER = 0.5  # a longer second line covers less of the picture: a little better


def break_cost(row: Sequence[Unit], at: int, language: str) -> float:
    """How bad it is to break between `row[at - 1]` and `row[at]`: 0 after a sentence, up to 9."""
    before = row[at - 1]
    if before.ends == SENTENCE or at >= len(row) or row[at].turn != before.turn:
        return 0.0
    if before.ends == CLAUSE:
        return _AFTER_CLAUSE
    bound = _WORDS.get(language, _NO_WORDS)
    if before.text.lower() in bound:
        return _AFTER_BOUND
    return _BEFORE_PHRASE if row[at].text.lower() in bound else _ANYWHERE


def fits(row: Sequence[Unit], width: int, lines: int) -> bool:
    """Whether the units go into that many lines of that many columns, filled greedily."""
    total = sum(unit.columns + unit.space for unit in row) - row[0].space
    if total <= width:
        return True
    if total > width * lines + lines - 1:  # as many spaces vanish at the ends of lines
        return False
    used, length = 1, 0
    for unit in row:
        needed = unit.columns + (unit.space and length > 0)
        if length + needed <= width:
            length += needed
        elif used == lines or unit.columns > width:
            return False
        else:
            used, length = used + 1, unit.columns
    return True


Row = tuple[Unit, ...]


def break_lines(row: Sequence[Unit], width: int, lines: int, language: str) -> tuple[Row, ...]:
    """The units in as few lines as possible, broken where it costs least.

    A text for which `fits` is false comes out in more lines, none wider than `width`.
    """
    if fits(row, width, 1):
        return (tuple(row),)
    if lines >= 2 and (at := _best_break(row, width, language)):
        return tuple(row[:at]), tuple(row[at:])
    return _filled(row, width)


def _best_break(row: Sequence[Unit], width: int, language: str) -> int | None:
    """Where to break into two lines; None if they would be too wide wherever."""
    lengths = _lengths(row)
    total = lengths[-1]
    best: tuple[float, int] | None = None
    for at in range(1, len(row)):
        first = lengths[at]
        second = total - first - row[at].space
        if first > width or second > width:
            continue
        imbalance = abs(first - second) / width * 10
        cost = break_cost(row, at, language) + imbalance + (_FIRST_LONGER if first > second else 0)
        if best is None or cost < best[0]:
            best = cost, at
    return best[1] if best else None


def _lengths(row: Sequence[Unit]) -> list[int]:
    """The width of the first n units, for every n."""
    lengths = [0]
    for unit in row:
        lengths.append(lengths[-1] + unit.columns + (unit.space and lengths[-1] > 0))
    return lengths


def _filled(row: Sequence[Unit], width: int) -> tuple[Row, ...]:
    """As many lines as it takes, of even length where there is a choice."""
    count = next(n for n in range(1, len(row) + 1) if fits(row, width, n))
    narrowest = next(w for w in range(1, width + 1) if fits(row, w, count))
    starts = [0]
    for at in range(1, len(row) + 1):
        if not fits(row[starts[-1] : at], narrowest, 1):
            starts.append(at - 1)
    return tuple(tuple(row[a:b]) for a, b in pairwise([*starts, len(row)]))
