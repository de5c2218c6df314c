"""The answer of OpenAI's transcription API with response_format=verbose_json."""

from __future__ import annotations

import zlib

from daemon.domain.languages import ENGLISH_NAMES
from daemon.domain.transcript import Json, Segment
from daemon.files.atomic import json_bytes
from daemon.rendering.material import Material


def verbose_json(material: Material) -> bytes:
    """`tokens` is empty and `temperature` 0: they are not kept."""
    transcript = material.transcript
    words = [word for segment in transcript.segments for word in segment.words]
    return json_bytes(
        {
            "task": "transcribe",
            "language": ENGLISH_NAMES.get(transcript.language, transcript.language),
            "duration": transcript.duration,
            "text": transcript.text,
            "segments": [_segment(number, one) for number, one in enumerate(transcript.segments)],
            "words": [{"word": word.word, "start": word.start, "end": word.end} for word in words],
        }
    )


def _segment(number: int, segment: Segment) -> Json:
    said = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start * 100),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": round(len(said) / len(zlib.compress(said)), 4),
        "no_speech_prob": segment.no_speech_prob,
    }
