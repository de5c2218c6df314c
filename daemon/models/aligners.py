"""Which alignment model speaks which language: WhisperX's own tables, read without running it.

Importing `whisperx.alignment` costs ten seconds and half a gigabyte (transformers, pandas, nltk),
so its constants are taken from its source text.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from daemon.errors import DropscribeError
from daemon.models.registry import aligner_is_here

_TORCHAUDIO = "DEFAULT_ALIGN_MODELS_TORCH"
_HUGGING_FACE = "DEFAULT_ALIGN_MODELS_HF"
_UNSPACED = "LANGUAGES_WITHOUT_SPACES"


class NoAlignModelError(DropscribeError, LookupError):
    """Nobody has named an alignment model for this language."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`models` maps language codes to model names; `unspaced` languages have no word spaces."""

    models: Mapping[str, str]
    unspaced: frozenset[str]

    def model_for(self, language: str) -> str:
        """The name of the default model; raises NoAlignModelError where there is none."""
        if language not in self.models:
            raise NoAlignModelError(
                f"there is no alignment model for the language {language!r};"
                " name a wav2vec2 model for it in the configuration as align.model"
            )
        return self.models[language]


@cache
def read_catalogue() -> Catalogue:
    """The tables of the installed WhisperX."""
    tables = _constants(_source(), {_TORCHAUDIO, _HUGGING_FACE, _UNSPACED})
    return Catalogue(
        models={**tables[_HUGGING_FACE], **tables[_TORCHAUDIO]},
        unspaced=frozenset(tables[_UNSPACED]),
    )


def _source() -> str:
    package = find_spec("whisperx")
    if package is None or package.origin is None:
        raise DropscribeError("whisperx is not installed; install dropscribe again")
    return (Path(package.origin).parent / "alignment.py").read_text(encoding="utf-8")


def _constants(source: str, names: set[str]) -> dict[str, dict[str, str]]:
    """The values of the module-level literals called `names`; lists become keys without values."""
    found: dict[str, dict[str, str]] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name in names:
                value = ast.literal_eval(statement.value)
                found[name] = value if isinstance(value, dict) else dict.fromkeys(value, "")
    if missing := names - found.keys():
        raise DropscribeError(f"this version of whisperx has no {', '.join(sorted(missing))}")
    return found


def languages_here(named: str, environment: Mapping[str, str]) -> frozenset[str]:
    """The languages whose alignment models are on this machine.

    `named` is `align.model`: it is used for every language.
    """
    models = read_catalogue().models
    if named:
        return frozenset(models) if aligner_is_here(named, environment) else frozenset()
    return frozenset(code for code, name in models.items() if aligner_is_here(name, environment))
