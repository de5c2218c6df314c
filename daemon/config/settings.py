"""The configuration: every key with its default, and every problem named at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from msgspec import field
from msgspec.structs import asdict

from daemon.config import default_model, values
from daemon.config.default_model import AUTOMATIC
from daemon.config.location import DIRECTORIES
from daemon.config.table import Table
from daemon.config.values import (
    Above,
    Between,
    Folder,
    LanguageCode,
    Megabytes,
    OptionalFile,
    OptionalLanguageCode,
    Seconds,
    SomeSeconds,
)
from daemon.domain.media import EXTENSIONS
from daemon.files.real_path import resolved

Format = Literal[
    "txt", "md", "docx", "html", "srt", "vtt", "ass", "lrc", "tsv", "csv", "labels", "verbose_json"
]


class Paths(Table, frozen=True):
    inbox: Folder = Path("~/Dropscribe/inbox")
    outbox: Folder = Path("~/Dropscribe/outbox")
    done: Folder = Path("~/Dropscribe/done")
    failed: Folder = Path("~/Dropscribe/failed")
    state: Folder = DIRECTORIES.user_data_path / "state"
    logs: Folder = DIRECTORIES.user_log_path

    def check(self) -> None:
        """A folder inside the inbox would feed our own files back to us."""
        real = resolved(asdict(self))
        inbox = real.pop("inbox")
        for key, folder in real.items():
            if folder == inbox or inbox in folder.parents:
                written = getattr(self, key)
                raise ValueError(f"{key} ({written}) must not be the inbox or lie inside it")
        if real["outbox"] in {real["done"], real["failed"]}:
            raise ValueError("outbox must not be the done or the failed folder")
        if real["done"] == real["failed"]:
            raise ValueError("done must not be the failed folder")


class Watch(Table, frozen=True):
    settle_seconds: Seconds = 2.0
    settle_early: bool = True
    rescan_seconds: SomeSeconds = 60.0
    empty_seconds: Seconds = 30.0
    patience_seconds: Seconds = 600.0
    events: bool = True
    recursive: bool = True
    extensions: tuple[str, ...] = EXTENSIONS


class Audio(Table, frozen=True):
    """Of several audio tracks: `mix` one conversation, or the `first`, or `all`, each alone."""

    tracks: Literal["mix", "first", "all"] = "mix"


class Transcribe(Table, frozen=True):
    model: Annotated[str, values.not_empty, default_model.named] = AUTOMATIC
    decoder_bits: Literal[0, 8] = 0
    stand_in: bool = True
    backend: Literal["auto", "mlx", "ctranslate2"] = "auto"
    language: OptionalLanguageCode = ""
    languages: tuple[LanguageCode, ...] = ()
    task: Literal["transcribe", "translate"] = "transcribe"
    initial_prompt: str = ""
    beam_size: Annotated[int, Between(1, 10)] = 1
    idle_unload_seconds: Seconds = 600.0
    max_memory_mb: Megabytes = 0


class Align(Table, frozen=True):
    enabled: bool = True
    model: str = ""
    device: Literal["auto", "cpu", "mps"] = "cpu"
    attempts: Annotated[int, Between(1, 10)] = 2
    stall_seconds: SomeSeconds = 180.0
    max_memory_mb: Megabytes = 6144
    fallback: Literal["auto", "asr", "segments"] = "auto"


SpeakerMode = Literal["off", "voices", "channels"]
SPEAKER_MODES = get_args(SpeakerMode)


class Speakers(Table, frozen=True):
    """`count` 0: find out, between `min_count` and `max_count`. `remember`: voices with names."""

    mode: SpeakerMode = "off"
    model: values.OptionalFile = ""
    count: Annotated[int, Between(0, 100)] = 0
    min_count: Annotated[int, Between(1, 100)] = 1
    max_count: Annotated[int, Between(1, 100)] = 20
    names: tuple[Annotated[str, values.name], ...] = ()
    remember: bool = False
    attempts: Annotated[int, Between(1, 10)] = 2
    stall_seconds: SomeSeconds = 180.0
    max_memory_mb: Megabytes = 2048

    def check(self) -> None:
        if self.min_count > self.max_count:
            raise ValueError("min_count must not be larger than max_count")

    @property
    def counts(self) -> tuple[int, int]:
        """How many speakers there are at least, and at most."""
        return (self.count, self.count) if self.count else (self.min_count, self.max_count)


class Output(Table, frozen=True):
    formats: tuple[Format, ...] = ("txt", "srt", "vtt", "tsv", "html")
    source: Literal["archive", "keep", "delete"] = "archive"
    timestamps: bool = False
    compact: bool = False
    index: bool = True
    name: Annotated[str, values.name_of_results] = "{stem}"
    duplicates: Literal["again", "skip"] = "again"
    keep_days: Annotated[int, Between(0, 36_500)] = 0
    mode: Annotated[str, values.file_mode] = ""
    group: Annotated[str, values.group] = ""


class Subtitles(Table, frozen=True):
    """How srt, vtt and ass are cut. 0 means: as usual for the recording's language."""

    line_characters: Annotated[int, Between(0, 200)] = 0
    lines: Annotated[int, Between(1, 4)] = 2
    characters_per_second: Annotated[float, Between(0, 100)] = 0.0
    min_seconds: Annotated[float, Between(0, 5)] = 0.833
    max_seconds: Annotated[float, Between(1, 60)] = 7.0
    frame_rate: Annotated[float, Above(0, 240)] = 24.0
    gap_frames: Annotated[int, Between(0, 24)] = 2
    chain_seconds: Annotated[float, Between(0, 5)] = 0.5
    pause_seconds: Annotated[float, Above(0, 60)] = 1.0
    linger_seconds: Annotated[float, Between(0, 10)] = 1.5


class Vocabulary(Table, frozen=True):
    """Names and jargon. `replace` puts right what is misheard; see outbox/replacements.py."""

    words: tuple[str, ...] = ()
    replace: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        for phrase, text in self.replace.items():
            if not phrase.strip() or not text.strip():
                raise ValueError("vocabulary.replace: a phrase and its correction may not be empty")


class Queue(Table, frozen=True):
    """In which order files are worked on: what has more priority first, then the shortest."""

    priority: Annotated[int, Between(-100, 100)] = 0


class Limits(Table, frozen=True):
    max_attempts: Annotated[int, Between(1, 100)] = 3
    max_interruptions: Annotated[int, Between(1, 1_000)] = 20
    retry_seconds: Seconds = 5.0
    max_file_mb: Megabytes = 20_000
    max_audio_hours: Annotated[float, Above(0, 1_000)] = 24.0
    min_free_mb: Megabytes = 2_000
    on_battery: bool = True
    hours: Annotated[str, values.hours] = ""
    keep_awake: bool = True
    stall_seconds: SomeSeconds = 300.0
    grace_seconds: Seconds = 3.0
    keep_days: Annotated[int, Between(0, 36_500)] = 365


class Notify(Table, frozen=True):
    macos: bool = False
    finder_tags: bool = False
    hook: tuple[str, ...] = ()
    hook_seconds: Annotated[float, Above(0, 3600)] = 120.0
    webhook: Annotated[str, values.webhook] = ""
    webhook_secret: Annotated[str, values.secret] = ""

    def check(self) -> None:
        """A service's PATH is short: a bare name that works in a shell would not be found."""
        if self.hook and not Path(self.hook[0]).is_absolute():
            raise ValueError(f"hook must begin with an absolute path, not {self.hook[0]!r}")


class Cluster(Table, frozen=True):
    """Other machines that lend themselves. Their names are those that ssh knows.

    `scheduler`: of a Dask cluster, with the PEM files that tls:// needs.
    """

    hosts: tuple[Annotated[str, values.host], ...] = ()
    scheduler: Annotated[str, values.scheduler] = ""
    tls_ca: OptionalFile = ""
    tls_cert: OptionalFile = ""
    tls_key: OptionalFile = ""

    def check(self) -> None:
        if self.scheduler.startswith("tls://"):
            for key in ("tls_ca", "tls_cert", "tls_key"):
                if not getattr(self, key):
                    raise ValueError(f"{key} is missing: a scheduler at tls:// is reached with it")


class Lend(Table, frozen=True):
    """What this machine gives to others. `files`: how many it takes at a time."""

    files: Annotated[int, Between(1, 64)] = 2
    on_battery: bool = False
    idle_minutes: Annotated[float, Between(0, 1_440)] = 0.0
    hours: Annotated[str, values.hours] = ""


class Config(Table, frozen=True):
    paths: Paths = field(default_factory=Paths)
    watch: Watch = field(default_factory=Watch)
    audio: Audio = field(default_factory=Audio)
    transcribe: Transcribe = field(default_factory=Transcribe)
    align: Align = field(default_factory=Align)
    speakers: Speakers = field(default_factory=Speakers)
    output: Output = field(default_factory=Output)
    subtitles: Subtitles = field(default_factory=Subtitles)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    queue: Queue = field(default_factory=Queue)
    limits: Limits = field(default_factory=Limits)
    notify: Notify = field(default_factory=Notify)
    cluster: Cluster = field(default_factory=Cluster)
    lend: Lend = field(default_factory=Lend)
