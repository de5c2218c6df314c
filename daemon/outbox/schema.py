"""The shapes of NAME.json and NAME.timing.json, from which their JSON Schemas are generated.

`python -m daemon.outbox.schema` writes them to bundled/schemas/. Nothing at run time needs this
module, nor pydantic, which comes with the extra `test`. A field with a default may be absent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from daemon.domain.transcript import AlignmentStatus, WordSource
from daemon.outbox.documents import SCHEMA_VERSION

FOLDER = Path(__file__).parents[1] / "bundled" / "schemas"

Amount = Annotated[float, Field(ge=0)]  # mostly seconds
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]
Language = Annotated[str, Field(pattern="^[a-z]{2,3}$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Version = Literal[1]


def about(description: str) -> Any:  # noqa: ANN401 - what stands before "=" has the type
    """A field that is always there."""
    return Field(description=description)


def optional(description: str) -> Any:  # noqa: ANN401
    """A field that may be absent."""
    return Field(default=None, description=description)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TimedWord(_Shape):
    word: Name
    start: Amount
    end: Amount
    score: Share


class Word(_Shape):
    word: Name = about("As written, punctuation included.")
    start: Amount
    end: Amount
    score: Share = about(
        "The alignment model's mean probability, Whisper's for asr; 0 for interpolated words."
    )
    source: WordSource = about(
        "aligned: the alignment model heard it. interpolated: placed between its neighbours."
        " asr: Whisper's own times."
    )
    speaker: Name = optional("As the segment's.")


class Segment(_Shape):
    id: Count = about(
        "0, 1, 2, …; where a segment was split for its speakers, the later parts have ids after"
        " the last."
    )
    start: Amount
    end: Amount
    text: Name
    avg_logprob: Annotated[float, Field(le=0)] = about(
        "The mean log-probability of the segment's tokens, natural logarithm."
    )
    no_speech_prob: Share = about("How likely Whisper thinks it that nothing is said here.")
    speaker: Name = optional("Who speaks, where speakers were told apart.")
    language: Language = optional("The segment's own language, where it is not the recording's.")
    words: list[Word] = about("Empty if the segment could not be aligned.")


class Alignment(_Shape):
    status: AlignmentStatus = about(
        "complete: every segment with words has word times. partial: some have none. failed: none"
        " has. skipped: there was nothing to align, or alignment is switched off."
    )
    reason: str = about("A sentence for people; empty if complete.")
    model: str = about("The alignment model; empty if none was used.")
    coverage: Share = about(
        "Share of the words whose times were heard, not interpolated; 1 if nothing was said."
    )


class Check(_Shape):
    start: Amount
    end: Amount
    reason: Name


class Speaker(_Shape):
    speaker: Name = about("The name given to this speaker, or SPEAKER_00, SPEAKER_01, …")
    seconds: Amount = about("How long this speaker speaks.")
    overlap_seconds: Amount = about("How much of that while somebody else speaks, too.")


class Overlap(_Shape):
    start: Amount
    end: Amount
    speakers: Annotated[list[str], Field(min_length=2)]


class Diarization(_Shape):
    status: Literal["complete", "failed"]
    reason: str = about("A sentence for people; empty if complete.")
    method: Literal["voices", "channels"] = about("What told them apart.")
    overlaps: list[Overlap] = about("Where several speak at once.")


class Chapter(_Shape):
    start: Amount
    end: Amount
    title: str


class Track(_Shape):
    name: str
    left_out: str | None = about("Why it was not transcribed; null if it was.")


class Versions(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]
    dropscribe: str


class Options(_Shape):
    language: str | None = about("The language that was given; null: detect it.")
    languages: list[str] = about("Detection is limited to these; empty: to none.")
    initial_prompt: bool = about("Whether there was one, or hot words.")
    task: Literal["translate"] = optional(
        "translate, if the text was to be in English; otherwise absent."
    )
    beam_size: int = optional("How many transcripts were followed at once; absent: one.")
    track: str = optional(
        "The track whose transcript this is, where every track has one; otherwise absent."
    )
    align: bool = about("Whether alignment is switched on.")


class Provenance(_Shape):
    source: Name = about("The recording's file name, control characters escaped.")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = about(
        "Of the recording, in hexadecimal."
    )
    bytes: Count = about("The recording's size.")
    container: str = about("FFmpeg's name of the file format.")
    codec: str = about("FFmpeg's name of the audio codec.")
    recorded_at: str | None = about(
        "When it was recorded, as its own metadata say it: ISO 8601, with the time zone if they"
        " name one; null if they do not."
    )
    title: str | None = about("The recording's own title; null if it has none.")
    artist: str | None = about("Who made it, by its own tags; null if they do not say.")
    album: str | None = about("The album or series, by its own tags; null if they do not say.")
    chapters: list[Chapter] = about("The recording's own chapters, in seconds.")
    tracks: list[Track] = about("The recording's audio tracks, if it has several.")
    warnings: list[str] = about(
        "Damage that was met while decoding, and what in the transcript deserves doubt."
    )
    backend: str = about("What ran the Whisper model: mlx or ctranslate2.")
    device: str = about("What it ran on: metal, cuda or cpu.")
    model: str = about("The Whisper model, as configured.")
    model_revision: str = about("Its revision on the hub; 'bundled' or 'local' otherwise.")
    stand_in: str | None = about(
        "The model that was wanted, where the bundled one was used because that was not here yet;"
        " otherwise null."
    )
    versions: Versions = about("Of the programs that took part.")
    options: Options = about("The options that change the result.")


class Transcript(_Shape):
    schema_version: Version
    text: str = about("All segments' texts, joined by spaces.")
    language: Language = about("Whisper's code of the language that was detected or given.")
    language_probability: Share = about(
        "How sure the detection is; 1 for a language that was given, 0 where nothing was said."
    )
    languages: list[Language] = about(
        "Every language that is spoken, the one that is spoken longest first."
    )
    duration: Amount = about("Seconds of audio that were decoded.")
    segments: list[Segment] = about("Stretches of speech, in order.")
    word_segments: list[Word] = optional(
        "Every segment's words in one list, as WhisperX has it; absent if output.compact is true."
    )
    alignment: Alignment = about("Whether the words have times, and if not, why.")
    check: list[Check] = about(
        "Spots that are worth a listen, the worst first: detected speech without text, and text"
        " that is little more than a guess."
    )
    speakers: list[Speaker] = optional(
        "Who speaks, in the order of their first words; absent if speakers were not asked for."
    )
    diarization: Diarization = optional(
        "Whether the speakers could be told apart; absent if that was not asked for."
    )
    provenance: Provenance = about("From what, by what and how this was made.")


class StageTiming(_Shape):
    start: Moment | None = about("Of the last attempt; null if there was none.")
    end: Moment | None
    seconds: Amount = about("Between the two.")
    cpu_seconds: Amount = about("Of all attempts, imports and model loading left out.")
    peak_rss_bytes: Count = about("The most memory that its process ever held.")
    attempts: Count
    exit: Name = about(
        "ok, skipped, or in a word how the last attempt failed: 'signal 11', 'exit 1', 'stalled',"
        " 'memory limit', …"
    )


class Stages(_Shape):
    queued: StageTiming = about("From its admission to the start of PREPARE.")
    prepare: StageTiming
    transcribe: StageTiming
    align: StageTiming
    diarize: StageTiming = optional("Beside the two before; absent if speakers were not asked for.")
    publish: StageTiming = about("Up to the moment when this file was written.")


class Timing(_Shape):
    schema_version: Version
    audio_seconds: Amount = about("Seconds of audio that were decoded.")
    stages: Stages = about(
        "In the order in which a file travels. TRANSCRIBE and ALIGN overlap: an aligner's time"
        " counts from when its input was whole."
    )
    total_seconds: Amount = about("From admission to publication.")
    speed: Amount = about("Audio seconds for each second of the total.")
    words: list[TimedWord] = optional("As in NAME.json; absent if output.compact is true.")


_DOCUMENTS: dict[str, tuple[type[BaseModel], str, str]] = {
    "transcript": (
        Transcript,
        "NAME.json: a transcript",
        "What was said in a recording, and when. A superset of WhisperX's result. All times are"
        " seconds from the start of the recording, rounded to three places, never decreasing, and"
        " within [0, duration].",
    ),
    "timing": (
        Timing,
        "NAME.timing.json: what a transcript cost, and its words' times",
        "What each stage took, and the words alone. Moments are ISO 8601 in UTC.",
    ),
}


class _Generator(GenerateJsonSchema):
    """Without the titles and defaults that pydantic would add to every field."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:  # noqa: ANN401
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def schemas() -> dict[str, str]:
    """The text of each schema by its file's name."""
    return {f"{name}.schema.json": _schema(name, *given) for name, given in _DOCUMENTS.items()}


def _schema(name: str, shape: type[BaseModel], title: str, description: str) -> str:
    generated = shape.model_json_schema(schema_generator=_Generator)
    for part in generated["$defs"].values():
        del part["title"]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://dropscribe.invalid/schemas/{name}-{SCHEMA_VERSION}.json",
        "title": title,
        "description": description,
    }
    return json.dumps(head | (generated | head), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schemas that are shipped."""
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
