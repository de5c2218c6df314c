"""Where Whisper listened while it wrote a text, as faster-whisper finds out with CTranslate2."""

from __future__ import annotations

from collections.abc import Callable

from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from daemon.asr.recognizer import Piece
from daemon.audio import SAMPLE_RATE, FloatArray

_FRAME = SAMPLE_RATE // 100  # samples of a frame of log-mel
_ROOM = 448 - len(("sot", "language", "task", "no timestamps", "eot"))


class CTranslate2Listener:
    """Satisfies `Listener`. `features`: 16 kHz samples → log-mel (mels, 3000)."""

    room = _ROOM

    def __init__(self, whisper: WhisperModel, features: Callable[[FloatArray], FloatArray]) -> None:
        self._whisper = whisper
        self._features = features

    def tokens(self, text: str) -> list[int]:
        return list(self._whisper.hf_tokenizer.encode(text, add_special_tokens=False).ids)

    def pieces(self, samples: FloatArray, language: str, tokens: list[int]) -> list[Piece]:
        whisper = self._whisper
        tokenizer = Tokenizer(
            whisper.hf_tokenizer, whisper.model.is_multilingual, "transcribe", language
        )
        encoded = whisper.encode(self._features(samples)[None])
        (found,) = whisper.find_alignment(tokenizer, [tokens], encoded, len(samples) // _FRAME)
        return [
            Piece(one["word"], float(one["start"]), float(one["end"]), float(one["probability"]))
            for one in found
        ]
