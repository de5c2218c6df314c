"""Which language a recording is in: given by the user, or heard in its first speech."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from daemon.asr.recognizer import RecognitionOptions
from daemon.errors import UsageError

_ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    probability: float  # 1.0 where it was not detected but given


def choose_language(
    options: RecognitionOptions,
    known: Collection[str],
    detect: Callable[[], Mapping[str, float]] | None,
) -> Language:
    """The language to transcribe in.

    `detect` hears the first speech and returns a probability for each language; None where there
    is no speech to hear. Probabilities are relative to the languages that `options` allows.
    Raises UsageError for a language that the model does not know.
    """
    for code in (options.language, *options.languages):
        if code is not None and code not in known:
            raise UsageError(f"The model does not know the language {code!r}.")
    if options.language is not None:
        return Language(options.language, 1.0)
    if len(known) == 1 or detect is None:
        return Language((*options.languages, _ENGLISH)[0], 1.0 if len(known) == 1 else 0.0)
    return _most_probable(detect(), options.languages or tuple(known))


def _most_probable(probabilities: Mapping[str, float], allowed: Collection[str]) -> Language:
    heard = {code: probabilities.get(code, 0.0) for code in allowed}
    code = max(heard, key=heard.__getitem__)
    total = sum(heard.values())
    return Language(code, round(heard[code] / total, 4) if total > 0 else 0.0)
