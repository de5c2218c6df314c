"""What the configuration asks for and this machine cannot give: models and their languages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from daemon.config.settings import Config
from daemon.domain.languages import ENGLISH_NAMES
from daemon.errors import UsageError
from daemon.models import registry
from daemon.models.hardware import BackendName
from daemon.models.registry import ModelMissingError, Source, Weights

_OTHER_TOKENS = 51_766  # of openai/whisper's vocabulary, for a model of several languages
_FEWEST = 99  # languages of the first models that know more than English


def unmet(
    config: Config, backend: BackendName, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Each setting that cannot be followed here, and what to do about it."""
    transcribe = config.transcribe
    try:
        weights = registry.find_or_stand_in(
            transcribe.model, backend, environment, transcribe.stand_in
        )
    except ModelMissingError as error:
        yield "transcribe.model", str(error)
    else:
        known = languages_of(weights)
        settings = {"language": (transcribe.language,), "languages": transcribe.languages}
        for key, codes in settings.items():
            for code in codes:
                if code and code not in known:
                    name = f"{code} ({ENGLISH_NAMES[code].title()})"
                    yield f"transcribe.{key}", f"the model {weights.name} does not know {name}"
    yield from _unmet_by_aligner(config, environment)


def _unmet_by_aligner(config: Config, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    named = config.align.model
    if config.align.enabled and named and not _is_here(named, environment):
        if Path(named).expanduser().is_absolute():
            yield "align.model", f"there is no folder {named} with an alignment model"
        else:
            text = f"the alignment model {named} is not on this machine"
            yield "align.model", f"{text}: run `dropscribe models fetch {named}`"


def require(config: Config, backend: BackendName, environment: Mapping[str, str]) -> None:
    """Raises UsageError with a line for each setting that cannot be followed here."""
    _refuse(unmet(config, backend, environment))


def require_aligner(config: Config, environment: Mapping[str, str]) -> None:
    """As `require`, for work that needs no Whisper model."""
    _refuse(_unmet_by_aligner(config, environment))


def _refuse(problems: Iterable[tuple[str, str]]) -> None:
    if lines := [f"{key}: {text}" for key, text in problems]:
        raise UsageError("\n  ".join(lines))


def languages_of(weights: Weights) -> frozenset[str]:
    """The languages that a Whisper model knows, by the size of its vocabulary."""
    try:
        data = json.loads((weights.folder / "config.json").read_bytes())
        size = int(data.get("n_vocab") or data.get("vocab_size") or _tokens(data))
    except (OSError, ValueError, TypeError, AttributeError):
        return frozenset(ENGLISH_NAMES)  # the stage will say what is wrong with the model
    several = size - _OTHER_TOKENS
    return frozenset(list(ENGLISH_NAMES)[:several] if several >= _FEWEST else ["en"])


def _tokens(data: Mapping[str, object]) -> int:
    """CTranslate2's converter lists the languages' tokens instead."""
    listed = data.get("lang_ids")
    return _OTHER_TOKENS + len(listed) if isinstance(listed, list) else 0


def _is_here(model: str, environment: Mapping[str, str]) -> bool:
    folder = Path(model).expanduser()
    return folder.is_dir() or registry.snapshot_of(Source(model), environment) is not None
