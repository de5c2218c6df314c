"""What this machine has for other owners' recordings: models, aligners, memory."""

from __future__ import annotations

import os

import psutil

from daemon.config.settings import Config
from daemon.domain.transcript import Json
from daemon.models import aligners, registry
from daemon.models.hardware import BackendName


def take_stock(config: Config, backend: BackendName, wished: Json) -> Json:
    """For the hello. `wished`: the owner's settings, whose model and aligner are looked for.

    Which stages there are is not said: the same version has the same.
    """
    model = str(wished.get("transcribe", {}).get("model", ""))
    named = str(wished.get("align", {}).get("model", ""))
    known = dict.fromkeys([model, config.transcribe.model, registry.BASE, *registry.PRESETS])
    models = [name for name in known if name and registry.is_here(name, backend, os.environ)]
    return {
        "models": models,
        "aligners": sorted(aligners.languages_here(named, os.environ)),
        "free_bytes": psutil.virtual_memory().available,
    }
