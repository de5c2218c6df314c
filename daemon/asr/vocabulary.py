"""Whisper's tokens: mlx_whisper's tokenizer, without the rest of that package.

`import mlx_whisper` brings numba and scipy, seconds of start-up that nothing here uses; its
tokenizer module stands alone, so it is loaded by its path.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from daemon.asr.checkpoint import Dimensions
from daemon.errors import DropscribeError

if TYPE_CHECKING:
    from mlx_whisper.tokenizer import Tokenizer


class Vocabulary:
    """The tokens of one model."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._dimensions = dimensions
        self._tokenizer: Tokenizer = _tokenizer_module().get_tokenizer(
            dimensions.multilingual, num_languages=dimensions.languages
        )
        self.size = dimensions.n_vocab
        self.eot: int = self._tokenizer.eot
        self.sot: int = self._tokenizer.sot
        self.no_speech: int = self._tokenizer.no_speech
        self.no_timestamps: int = self._tokenizer.no_timestamps
        self.timestamp_begin: int = self._tokenizer.timestamp_begin

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """Every special token as text, in the order of their numbers."""
        numbers = self._tokenizer.special_tokens
        return tuple(sorted(numbers, key=numbers.__getitem__))

    @cached_property
    def languages(self) -> dict[str, int]:
        """Language codes and their tokens; empty for an English-only model."""
        if not self._dimensions.multilingual:
            return {}
        codes = list(_tokenizer_module().LANGUAGES)[: self._dimensions.languages]
        return {code: self._tokenizer.to_language_token(code) for code in codes}

    @cached_property
    def blank(self) -> tuple[int, ...]:
        """What a transcript must not begin with (openai/whisper's SuppressBlank)."""
        return (*self._tokenizer.encode(" "), self.eot)

    @cached_property
    def never(self) -> tuple[int, ...]:
        """What is never sampled: non-speech annotations and the control tokens."""
        tokenizer = self._tokenizer
        control = (
            tokenizer.transcribe,
            tokenizer.translate,
            tokenizer.sot,
            tokenizer.sot_prev,
            tokenizer.sot_lm,
            tokenizer.no_speech,
            tokenizer.no_timestamps,
        )
        return tuple(sorted({*tokenizer.non_speech_tokens, *control}))

    def is_plain(self, prompt: Sequence[int]) -> bool:
        """Whether `prompt` asks for a transcript without timestamps."""
        return prompt[-1] == self.no_timestamps

    def prompt(
        self,
        language: str,
        initial_prompt: str | None,
        context: Sequence[int] = (),
        *,
        translate: bool = False,
        timestamps: bool = True,
    ) -> tuple[int, ...]:
        """The tokens that precede a transcript, at most half the text context.

        `context` are text tokens of what was said directly before.
        """
        start: tuple[int, ...] = (self.sot,)
        if self._dimensions.multilingual:
            task = self._tokenizer.translate if translate else self._tokenizer.transcribe
            start = (self.sot, self.languages[language], task)
        if not timestamps:
            start = (*start, self.no_timestamps)
        named = (initial_prompt or "").strip()
        previous = [*(self._tokenizer.encode(f" {named}") if named else ()), *context]
        if not previous:
            return start
        room = self._dimensions.n_text_ctx // 2 - 1
        return (self._tokenizer.sot_prev, *previous[-room:], *start)

    def encode(self, text: str) -> list[int]:
        """Tokens of plain text; what looks like a special token is text as well."""
        return list(self._tokenizer.encode(text, disallowed_special=()))

    def split(self, tokens: list[int]) -> list[tuple[str, int]]:
        """The shortest runs of tokens that spell whole characters: their text and their length."""
        texts, runs = self._tokenizer.split_tokens_on_unicode(tokens)
        return [(text, len(run)) for text, run in zip(texts, runs, strict=True)]

    def decode(self, tokens: list[int]) -> str:
        """The text of `tokens`, without special tokens and timestamps."""
        return str(self._tokenizer.decode([token for token in tokens if token < self.eot]))


def assets() -> Path:
    """The folder of mlx_whisper's data files: token ranks and mel filters."""
    return _package() / "assets"


@lru_cache(maxsize=1)
def _tokenizer_module() -> ModuleType:
    path = _package() / "tokenizer.py"
    spec = importlib.util.spec_from_file_location("daemon.asr.mlx_whisper_tokenizer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _package() -> Path:
    spec = importlib.util.find_spec("mlx_whisper")
    if spec is None or spec.origin is None:
        raise DropscribeError("mlx-whisper is not installed: run `pip install mlx-whisper`.")
    return Path(spec.origin).parent
