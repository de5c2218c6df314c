"""The configuration: every key with its default, and every problem named at once."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from daemon.config import default_model, values
from daemon.config.default_model import AUTOMATIC
from daemon.config.location import DIRECTORIES
from daemon.config.values import (
    Folder,
    LanguageCode,
    Megabytes,
    OptionalLanguageCode,
    Seconds,
    SomeSeconds,
)
from daemon.domain.media import EXTENSIONS
from daemon.files.real_path import resolved

Format = Literal[
    "txt", "md", "docx", "html", "srt", "vtt", "ass", "lrc", "tsv", "csv", "labels", "verbose_json"
]
NAME_FIELDS = ("stem", "date", "language")


class _Table(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class Paths(_Table):
    inbox: Folder = Path("~/Dropscribe/inbox")
    outbox: Folder = Path("~/Dropscribe/outbox")
    done: Folder = Path("~/Dropscribe/done")
    failed: Folder = Path("~/Dropscribe/failed")
    state: Folder = DIRECTORIES.user_data_path / "state"
    logs: Folder = DIRECTORIES.user_log_path

    @model_validator(mode="after")
    def _apart(self) -> Paths:
        """A folder inside the inbox would feed our own files back to us."""
        real = resolved(self.__dict__)
        inbox = real.pop("inbox")
        for key, folder in real.items():
            if folder == inbox or inbox in folder.parents:
                written = getattr(self, key)
                raise ValueError(f"{key} ({written}) must not be the inbox or lie inside it")
        if real["outbox"] in {real["done"], real["failed"]}:
            raise ValueError("outbox must not be the done or the failed folder")
        if real["done"] == real["failed"]:
            raise ValueError("done must not be the failed folder")
        return self


class Watch(_Table):
    settle_seconds: Seconds = 2.0
    rescan_seconds: SomeSeconds = 60.0
    empty_seconds: Seconds = 30.0
    patience_seconds: Seconds = 600.0
    events: bool = True
    recursive: bool = True
    extensions: tuple[str, ...] = EXTENSIONS


class Audio(_Table):
    """Of several audio tracks: `mix` one conversation, or the `first`, or `all`, each alone."""

    tracks: Literal["mix", "first", "all"] = "mix"


class Transcribe(_Table):
    model: Annotated[str, Field(min_length=1), AfterValidator(default_model.named)] = AUTOMATIC
    decoder_bits: Literal[0, 8] = 0
    stand_in: bool = True
    backend: Literal["auto", "mlx", "ctranslate2"] = "auto"
    language: OptionalLanguageCode = ""
    languages: tuple[LanguageCode, ...] = ()
    task: Literal["transcribe", "translate"] = "transcribe"
    initial_prompt: str = ""
    idle_unload_seconds: Seconds = 600.0
    max_memory_mb: Megabytes = 0


class Align(_Table):
    enabled: bool = True
    model: str = ""
    device: Literal["auto", "cpu", "mps"] = "cpu"
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    stall_seconds: SomeSeconds = 180.0
    max_memory_mb: Megabytes = 6144
    fallback: Literal["auto", "asr", "segments"] = "auto"


SpeakerMode = Literal["off", "voices", "channels"]
SPEAKER_MODES = get_args(SpeakerMode)


class Speakers(_Table):
    """`count` 0: find out, between `min_count` and `max_count`. `remember`: voices with names."""

    mode: SpeakerMode = "off"
    count: Annotated[int, Field(ge=0, le=100)] = 0
    min_count: Annotated[int, Field(ge=1, le=100)] = 1
    max_count: Annotated[int, Field(ge=1, le=100)] = 20
    names: tuple[Annotated[str, AfterValidator(values.name)], ...] = ()
    remember: bool = False
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    stall_seconds: SomeSeconds = 180.0
    max_memory_mb: Megabytes = 2048

    @model_validator(mode="after")
    def _in_order(self) -> Speakers:
        if self.min_count > self.max_count:
            raise ValueError("min_count must not be larger than max_count")
        return self

    @property
    def counts(self) -> tuple[int, int]:
        """How many speakers there are at least, and at most."""
        return (self.count, self.count) if self.count else (self.min_count, self.max_count)


class Output(_Table):
    formats: tuple[Format, ...] = ("txt", "srt", "vtt", "tsv", "html")
    source: Literal["archive", "keep", "delete"] = "archive"
    timestamps: bool = False
    compact: bool = False
    index: bool = True
    name: str = "{stem}"
    duplicates: Literal["again", "skip"] = "again"
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    mode: Annotated[str, AfterValidator(values.file_mode)] = ""
    group: Annotated[str, AfterValidator(values.group)] = ""

    @field_validator("name")
    @classmethod
    def _stays_in_the_outbox(cls, name: str) -> str:
        """The fields' values are made harmless when they are known; here, the template itself."""
        fields = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        try:
            parts = list(Formatter().parse(name))
        except ValueError as error:
            raise ValueError(f"a brace is missing: a name may hold {fields}") from error
        for text, field, layout, conversion in parts:
            if not text.isprintable() or "/" in text or "\\" in text:
                raise ValueError("a name may not hold slashes, backslashes or control characters")
            if field is not None and (field not in NAME_FIELDS or layout or conversion):
                raise ValueError(f"a name may hold {fields}, and nothing else in braces")
        if not name.strip(" ."):
            raise ValueError("a name may not be empty")
        return name


class Subtitles(_Table):
    """How srt, vtt and ass are cut. 0 means: as usual for the recording's language."""

    line_characters: Annotated[int, Field(ge=0, le=200)] = 0
    lines: Annotated[int, Field(ge=1, le=4)] = 2
    characters_per_second: Annotated[float, Field(ge=0, le=100)] = 0.0
    min_seconds: Annotated[float, Field(ge=0, le=5)] = 0.833
    max_seconds: Annotated[float, Field(ge=1, le=60)] = 7.0
    frame_rate: Annotated[float, Field(gt=0, le=240)] = 24.0
    gap_frames: Annotated[int, Field(ge=0, le=24)] = 2
    chain_seconds: Annotated[float, Field(ge=0, le=5)] = 0.5
    pause_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    linger_seconds: Annotated[float, Field(ge=0, le=10)] = 1.5


class Vocabulary(_Table):
    """Names and jargon. `replace` puts right what is misheard; see outbox/replacements.py."""

    words: tuple[str, ...] = ()
    replace: dict[str, str] = {}

    @model_validator(mode="after")
    def _phrases_are_words(self) -> Vocabulary:
        for phrase, text in self.replace.items():
            if not phrase.strip() or not text.strip():
                raise ValueError("vocabulary.replace: a phrase and its correction may not be empty")
        return self


class Queue(_Table):
    """In which order files are worked on: what has more priority first, then the shortest."""

    priority: Annotated[int, Field(ge=-100, le=100)] = 0


class Limits(_Table):
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    max_interruptions: Annotated[int, Field(ge=1, le=1_000)] = 20
    retry_seconds: Seconds = 5.0
    max_file_mb: Megabytes = 20_000
    max_audio_hours: Annotated[float, Field(gt=0, le=1_000)] = 24.0
    min_free_mb: Megabytes = 2_000
    on_battery: bool = True
    hours: Annotated[str, AfterValidator(values.hours)] = ""
    keep_awake: bool = True
    stall_seconds: SomeSeconds = 300.0
    grace_seconds: Seconds = 3.0
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = 365


class Notify(_Table):
    macos: bool = False
    finder_tags: bool = False
    hook: tuple[str, ...] = ()
    hook_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    webhook: Annotated[str, AfterValidator(values.webhook)] = ""
    webhook_secret: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _absolute_hook(self) -> Notify:
        """A service's PATH is short: a bare name that works in a shell would not be found."""
        if self.hook and not Path(self.hook[0]).is_absolute():
            raise ValueError(f"hook must begin with an absolute path, not {self.hook[0]!r}")
        return self


class Cluster(_Table):
    """Other machines that lend themselves. Their names are those that ssh knows."""

    hosts: tuple[Annotated[str, AfterValidator(values.host)], ...] = ()


class Lend(_Table):
    """What this machine gives to others. `files`: how many it takes at a time."""

    files: Annotated[int, Field(ge=1, le=64)] = 2
    on_battery: bool = False
    idle_minutes: Annotated[float, Field(ge=0, le=1_440)] = 0.0
    hours: Annotated[str, AfterValidator(values.hours)] = ""


class Config(_Table):
    paths: Paths = Paths()
    watch: Watch = Watch()
    audio: Audio = Audio()
    transcribe: Transcribe = Transcribe()
    align: Align = Align()
    speakers: Speakers = Speakers()
    output: Output = Output()
    subtitles: Subtitles = Subtitles()
    vocabulary: Vocabulary = Vocabulary()
    queue: Queue = Queue()
    limits: Limits = Limits()
    notify: Notify = Notify()
    cluster: Cluster = Cluster()
    lend: Lend = Lend()
