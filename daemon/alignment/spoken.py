"""How numbers and symbols are said, so that the aligner can listen for them.

A number may be said in several ways (2026: a number, a year, digit by digit): the caller tries
each and keeps the one that was heard. The words come from num2words, in the file's language.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import StrEnum


class Reading(StrEnum):
    """A way to say numbers."""

    NUMBER = "number"  # nine hundred and twenty-seven; two thousand and twenty-six
    YEAR = "year"  # twenty twenty-six
    DIGITS = "digits"  # nine two seven


_SYMBOLS = {  # in the order of _LANGUAGES
    "%": ("percent", "Prozent", "pour cent", "por ciento", "per cento", "procent"),
    "&": ("and", "und", "et", "y", "e", "en"),
    "+": ("plus", "plus", "plus", "más", "più", "plus"),
    "=": ("equals", "gleich", "égale", "igual a", "uguale", "is"),
    "@": ("at", "at", "arobase", "arroba", "chiocciola", "at"),
    "°": ("degrees", "Grad", "degrés", "grados", "gradi", "graden"),
    "$": ("dollars", "Dollar", "dollars", "dólares", "dollari", "dollar"),
    "€": ("euros", "Euro", "euros", "euros", "euro", "euro"),
    "£": ("pounds", "Pfund", "livres", "libras", "sterline", "pond"),
    "¥": ("yen", "Yen", "yens", "yenes", "yen", "yen"),
}
_LANGUAGES = ("en", "de", "fr", "es", "it", "nl")
_DECIMAL_POINT = ("en", "ja", "zh", "ko", "th", "he")  # elsewhere a comma parts off the decimals
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th|er|re|ème|e)$", re.IGNORECASE)
_PART = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[%&+=@°$€£¥]")
_LONGEST = 15  # digits; longer ones are codes, which nobody says as a number


def is_ambiguous(text: str) -> bool:
    """Whether there is a number in `text`, which may be said in several ways."""
    return any(map(str.isdigit, text))


def spoken(word: str, language: str, reading: Reading = Reading.NUMBER) -> str:
    """`word` as it is said: words separated by spaces, or `word` itself where nothing is known.

    What is neither a letter, a digit nor a known symbol is silent.
    """
    if not any(character.isdigit() or character in _SYMBOLS for character in word):
        return word
    if (ordinal := _ORDINAL.match(word.strip(".,;:!?()\"'"))) is not None:
        return _words(ordinal.group(1), language, "ordinal") or word
    parts = _PART.findall(word)
    # A currency is written before its number, and said after it.
    if len(parts) > 1 and parts[0] in "$€£¥" and parts[1][0].isdigit():
        parts[0], parts[1] = parts[1], parts[0]
    said = [_part(part, language, reading) for part in parts]
    return " ".join(filter(None, said)) or word


def _part(part: str, language: str, reading: Reading) -> str:
    if part in _SYMBOLS:
        return dict(zip(_LANGUAGES, _SYMBOLS[part], strict=True)).get(language, "")
    if not part[0].isdigit():
        return part
    return _number(part, language, reading) or part


def _number(digits: str, language: str, reading: Reading) -> str:
    groups = re.split(r"[.,]", digits)
    point = "." if language in _DECIMAL_POINT else ","
    thousands = len(groups) > 1 and all(len(group) == 3 for group in groups[1:])
    if len(groups) == 2 and not thousands and point in digits:
        return _words(f"{groups[0]}.{groups[1]}", language, "cardinal")
    if len(groups) > 1 and not thousands:  # a date, a version, an address
        return " ".join(_number(group, language, reading) for group in groups)
    whole = "".join(groups)
    as_digits = reading is Reading.DIGITS or whole.startswith("0") or len(whole) > _LONGEST
    if as_digits and len(whole) > 1:
        return " ".join(filter(None, (_words(digit, language, "cardinal") for digit in whole)))
    if reading is Reading.YEAR and len(whole) == 4:
        return _words(whole, language, "year")
    return _words(whole, language, "cardinal")


def _words(number: str, language: str, kind: str) -> str:
    """num2words, which knows some 50 languages; empty where it does not know this one."""
    from num2words import num2words  # noqa: PLC0415 - all 50 at once, and few texts have numbers

    try:
        value = Decimal(number) if "." in number else int(number)
        said: str = num2words(value, lang=language, to=kind)
    except (NotImplementedError, InvalidOperation, ValueError, OverflowError, TypeError, KeyError):
        return ""
    return re.sub(r"[^\w']+", " ", said).strip()
