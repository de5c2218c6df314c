"""Options of `transcribe` that stand for settings, and those of Whisper's other command lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from daemon.commands.options import chosen_formats
from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.domain.transcript import Json
from daemon.errors import UsageError

# Of openai-whisper, mlx_whisper, whisperX and their kin: taken, and without a meaning here.
_LEFT_OUT = """device compute_type fp16 threads batch_size best_of patience temperature
verbose model_dir condition_on_previous_text no_speech_threshold logprob_threshold vad_method
compression_ratio_threshold print_progress interpolate_method length_penalty suppress_tokens
temperature_increment_on_fallback carry_initial_prompt prepend_punctuations append_punctuations
highlight_words max_words_per_line hallucination_silence_threshold vad_onset vad_offset chunk_size
hf_token diarize_model segment_resolution device_index"""
_GIVEN = "dropscribe.left_out"  # where the options that were given wait to be named
_ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}
_SETTINGS = {
    "model": ("transcribe", "model"),
    "backend": ("transcribe", "backend"),
    "language": ("transcribe", "language"),
    "task": ("transcribe", "task"),
    "initial_prompt": ("transcribe", "initial_prompt"),
    "beam_size": ("transcribe", "beam_size"),
    "align_model": ("align", "model"),
    "speakers": ("speakers", "mode"),
    "speaker_count": ("speakers", "count"),
    "min_speakers": ("speakers", "min_count"),
    "max_speakers": ("speakers", "max_count"),
    "max_line_width": ("subtitles", "line_characters"),
    "max_line_count": ("subtitles", "lines"),
}


def left_out(function: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    """Options that are taken, so that a line of another program works, and that do nothing."""
    for name in _LEFT_OUT.split():
        flags = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
        option = click.option(*flags, name, hidden=True, expose_value=False, callback=_note)
        function = option(function)
    return function


def _note(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta.setdefault(_GIVEN, []).append(f"--{parameter.name}")


def name_left_out() -> None:
    """Say once which of the given options do nothing."""
    if given := click.get_current_context().meta.get(_GIVEN):
        click.echo(f"dropscribe: without a meaning here, left out: {', '.join(given)}", err=True)


def settings(config: Config, wanted: Json) -> Json:
    """The configuration's tables with what the command line says otherwise."""
    asked = as_json(config)
    for option, (table, key) in _SETTINGS.items():
        if wanted[option] is not None:
            asked[table][key] = wanted[option]
    if (model := wanted["model"]) is not None:
        asked["transcribe"]["model"] = _ALIASES.get(model, model)
        asked["transcribe"]["stand_in"] = False  # that model was asked for, and no other
    if (prompt := _prompt(wanted["initial_prompt"], wanted["hotwords"])) is not None:
        asked["transcribe"]["initial_prompt"] = prompt
    counts = (wanted["speaker_count"], wanted["min_speakers"], wanted["max_speakers"])
    if wanted["speakers"] is None and (wanted["diarize"] or any(counts)):
        asked["speakers"]["mode"] = "voices"  # whoever counts them wants to know them
    if wanted["no_align"] or wanted["word_timestamps"] is False:
        asked["align"]["enabled"] = False
    if wanted["formats"] is not None:
        asked["output"]["formats"] = chosen_formats(wanted["formats"])
    return asked


def _prompt(prompt: str | None, hotwords: str | None) -> str | None:
    """faster-whisper puts hot words where a prompt goes; so do we."""
    given = [text.strip() for text in (hotwords, prompt) if text and text.strip()]
    return " ".join(given) or None


@contextmanager
def named_as_given(wanted: Json) -> Iterator[None]:
    """What is wrong with a setting is told of the option that stands for it."""
    try:
        yield
    except UsageError as error:
        text = str(error)
        for option, place in _SETTINGS.items():
            if wanted[option] is not None:
                text = text.replace(f"{'.'.join(place)}: ", f"--{option.replace('_', '-')}: ")
        raise UsageError(text) from error
