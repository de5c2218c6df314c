"""Which language a recording is in: given by the user, or heard in its first speech.

A later chunk may be in another language; the model's own opinion of it is asked for, and followed
where it is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from daemon.asr.chunks import Chunk
from daemon.asr.recognizer import RecognitionOptions
from daemon.errors import UsageError

ENGLISH = "en"
_SURE = 0.9  # how probable another language than the file's must be in one chunk,
_LIKELY = 0.6  # and how probable where the file's own is no more probable than this
_ENOUGH = 2.0  # seconds of speech in which a language can be told

Probabilities = Mapping[str, float]  # by language code


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    probability: float  # 1.0 where it was not detected but given


class FileLanguages:
    """The language of one file, and of each of its chunks.

    `known` are the languages of the model. Raises UsageError where `options` name another one.
    """

    def __init__(
        self,
        options: RecognitionOptions,
        known: Collection[str],
        on_language: Callable[[str], None],
    ) -> None:
        for code in (options.language, *options.languages):
            if code is not None and code not in known:
                raise UsageError(
                    f"the model does not know the language {code!r}: choose another with"
                    " `dropscribe config set transcribe.language CODE` (or languages, or model)"
                )
        self._options = options
        self._allowed = options.languages or tuple(known)
        self._on_language = on_language
        self._file: Language | None = None
        self._chunks: dict[Chunk, str] = {}

    @property
    def settled(self) -> bool:
        """Whether the file's language is known. From then on, threads may share this."""
        return self._file is not None

    @property
    def file(self) -> Language:
        """The file's language; where no speech was heard, the first that is allowed."""
        if self._file is None:
            self._settle(self._given() or Language((*self._options.languages, ENGLISH)[0], 0.0))
        assert self._file is not None
        return self._file

    def foreign(self, chunk: Chunk) -> str | None:
        """The language in which `chunk` was decoded, if it is not the file's."""
        code = self._chunks.get(chunk, self.file.code)
        return None if code == self.file.code else code

    def of(self, chunk: Chunk, detect: Callable[[], Probabilities]) -> str:
        """The language of `chunk`; `detect` hears how probable each language is in it."""
        given = self._given()
        if given is not None:
            if self._file is None:
                self._settle(given)
            return given.code
        if chunk in self._chunks:
            return self._chunks[chunk]
        heard = _most_probable(detect(), self._allowed)
        if self._file is None:
            self._settle(heard)
        code = heard.code if self._another(chunk, heard) else self.file.code
        self._chunks[chunk] = code
        return code

    def _another(self, chunk: Chunk, heard: Language) -> bool:
        needed = _LIKELY if self.file.probability <= _LIKELY else _SURE
        return chunk.speech_seconds >= _ENOUGH and heard.probability >= needed

    def _given(self) -> Language | None:
        if self._options.language is not None:
            return Language(self._options.language, 1.0)
        return Language(self._allowed[0], 1.0) if len(self._allowed) == 1 else None

    def _settle(self, language: Language) -> None:
        self._file = language
        self._on_language(language.code)


def _most_probable(probabilities: Probabilities, allowed: Collection[str]) -> Language:
    heard = {code: probabilities.get(code, 0.0) for code in allowed}
    code = max(heard, key=heard.__getitem__)
    total = sum(heard.values())
    return Language(code, round(heard[code] / total, 4) if total > 0 else 0.0)
