"""Text as people see it: grapheme clusters, columns, phrases of unspaced scripts, direction."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budoux import Parser

_SENTENCE_ENDS = ".!?…。！？．｡؟۔।॥။។"
_CLAUSE_ENDS = ",;:—–、，；：،؛"
_CLOSING = "\"'”’»›)]}）］｝」』】〕》〉"
# Written with a full stop, and no end of a sentence. English, German, French, Spanish, Italian.
_ABBREVIATED = (
    "mr. mrs. ms. dr. prof. st. jr. sr. vs. etc. no. e.g. i.e. approx. dept. inc. ltd. fig. vol."
    " z.b. d.h. u.a. bzw. usw. ca. nr. str. hr. fr. bspw. evtl. ggf. abs."
    " m. mme. mlle. env. p.ex. sra. sr. ud. uds. d. sig. ing. avv. ecc."
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
# Languages that write an ordinal number with a full stop.
_ORDINAL_LANGUAGES = "de da no nn fi is et lv hu cs sk sl hr bs sr pl tr lb"
_ORDINALS = frozenset(_ORDINAL_LANGUAGES.split())
RTL_MARK = "\u200f"


def graphemes(text: str) -> list[str]:
    """The user-perceived characters of `text` (Unicode's extended grapheme clusters, UAX 29)."""
    if text.isascii():
        return list(text)
    import regex  # noqa: PLC0415 - not needed for most Latin text; costs the daemon memory

    clusters: list[str] = regex.findall(r"\X", text)
    return clusters


def columns(text: str) -> int:
    """The width of `text` where full-width characters and emoji count two, marks nothing.

    The widths are those of Unicode's East Asian Width property (UAX 11).
    """
    if text.isascii():
        return len(text)
    return sum(_cluster_columns(cluster) for cluster in graphemes(text))


def _cluster_columns(cluster: str) -> int:
    wide = any(unicodedata.east_asian_width(char) in "WF" for char in cluster)
    return 2 if wide or "\ufe0f" in cluster else 1


def phrases(text: str, language: str) -> list[str]:
    """`text` (without spaces) cut where a line may end; text of a spaced script comes back whole.

    Chinese, Japanese and Thai are cut by BudouX, Google's phrase segmenter. Other scripts without
    spaces (Khmer, Lao, Burmese) are cut between grapheme clusters.
    """
    if text.isascii():
        return [text]
    scripts = {_script(char) for char in text}
    if parser := _parser_name(scripts, language):
        return [piece for piece in _parser(parser).parse(text) if piece]
    if "cluster" in scripts:
        return graphemes(text)
    return [text]


def is_unspaced(text: str) -> bool:
    """Whether `text` is of a script that puts no spaces between words."""
    return not text.isascii() and any(_script(char) for char in text)


# First and last code point of the blocks, and how their text is cut.
_BLOCKS = (
    (0x0E00, 0x0E7F, "thai"),
    (0x0E80, 0x0EFF, "cluster"),  # Lao
    (0x1000, 0x109F, "cluster"),  # Burmese
    (0x1780, 0x17FF, "cluster"),  # Khmer
    (0x3040, 0x30FF, "kana"),
    (0x3400, 0x9FFF, "han"),
    (0xF900, 0xFAFF, "han"),
    (0x20000, 0x3FFFF, "han"),
)


def _script(char: str) -> str:
    point = ord(char)
    return next((name for low, high, name in _BLOCKS if low <= point <= high), "")


def _parser_name(scripts: set[str], language: str) -> str:
    if "thai" in scripts:
        return "thai"
    if "kana" in scripts or (language == "ja" and "han" in scripts):
        return "japanese"
    if "han" in scripts:
        return "traditional_chinese" if language in {"yue", "zh-tw"} else "simplified_chinese"
    return ""


@cache
def _parser(name: str) -> Parser:
    import budoux  # noqa: PLC0415 - for these scripts only

    parser: Parser = getattr(budoux, f"load_default_{name}_parser")()
    return parser


def ends_sentence(word: str, following: str, language: str) -> bool:
    """Whether a sentence ends with `word`; `following` is the next word, "" if there is none."""
    bare = word.rstrip(_CLOSING)
    if not bare or bare[-1] not in _SENTENCE_ENDS:
        return False
    if bare[-1] not in ".…":
        return True
    if following[:1].islower():
        return False
    return not (following and _is_abbreviation(bare, language))


def _is_abbreviation(word: str, language: str) -> bool:
    """Titles, initials (J.), and ordinals as German and others write them (3. Mai)."""
    stem = word.removesuffix(".")
    initial = len(stem) == 1 and stem.isupper() and stem != "I"
    ordinal = language in _ORDINALS and stem.isdigit() and len(stem) <= 2
    return initial or ordinal or word.lower() in _ABBREVIATIONS


def ends_clause(word: str) -> bool:
    bare = word.rstrip(_CLOSING)
    return bool(bare) and bare[-1] in _CLAUSE_ENDS + _SENTENCE_ENDS


def is_rtl(text: str) -> bool:
    """Whether more letters of `text` run from right to left (Arabic, Hebrew) than the other way."""
    directions = [unicodedata.bidirectional(char) for char in text]
    return sum(direction in {"R", "AL"} for direction in directions) > directions.count("L")


def marked_direction(line: str) -> str:
    """A subtitle's `line`, fenced by right-to-left marks if it runs that way.

    Many players lay out every line from left to right: its full stop would stand on the wrong
    side. The marks are invisible, and do nothing where the player gets it right (UAX 9, LRM/RLM).
    """
    return f"{RTL_MARK}{line}{RTL_MARK}" if is_rtl(line) else line
