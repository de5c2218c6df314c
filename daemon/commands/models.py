"""`dropscribe models fetch | list | verify`: the only command that downloads anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from daemon.alignment.catalogue import NoAlignModelError, read_catalogue
from daemon.commands.command_line import Group
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import FAILED, OK, DropscribeError
from daemon.models import checksums, hardware, registry
from daemon.models.hardware import Backend

_NOT_NEEDED = ["*.msgpack", "*.h5", "*.ot", "*.onnx", "flax_*", "tf_*", "language_model/*"]
_TORCHAUDIO = "https://download.pytorch.org/torchaudio/models/"
_ALIGNED = ("en",)  # fetched unless languages are named or configured


@click.group(
    cls=Group,
    examples=[
        ("dropscribe models fetch", "what the configuration needs, once"),
        ("dropscribe models fetch en de", "and word times for these languages"),
    ],
)
def models() -> None:
    """Fetch the models that are needed, list or verify them. Nothing else uses the network."""


@models.command()
@click.argument("languages", nargs=-1, metavar="[LANGUAGE]...")
@click.option(
    "--backend",
    type=click.Choice(["mlx", "ctranslate2"]),
    help="Weights for this one, to compare both.",
)
def fetch(config_path: Path, languages: tuple[str, ...], backend: str | None) -> int:
    """Download what the configuration needs, once, and alignment models for LANGUAGES."""
    config = config_file.load(config_path)
    chosen = hardware.choose(backend or config.transcribe.backend)  # type: ignore[arg-type]
    for name, source in list(_wanted(config, chosen, languages)):
        print(f"fetching {name}: {source.repository} …", flush=True)
        print(f"  {_download(source)}")
    return OK


def _wanted(
    config: Config, backend: Backend, languages: tuple[str, ...]
) -> Iterator[tuple[str, registry.Source]]:
    model = config.transcribe.model
    if model != registry.DEMO and not Path(model).expanduser().is_dir():
        preset = registry.PRESETS.get(model)
        yield model, preset[backend.name] if preset else registry.Source(model)
    if not config.align.enabled or registry.aligner_name(config.align.model, model):
        return
    chosen = languages or config.transcribe.languages or (config.transcribe.language,)
    for language in filter(None, chosen if any(chosen) else _ALIGNED):
        yield f"word times for {language}", _aligner(language)


def _aligner(language: str) -> registry.Source:
    """WhisperX's model for the language; torchaudio's are fetched by name, not from the hub."""
    try:
        return registry.Source(read_catalogue().model_for(language))
    except NoAlignModelError as error:
        raise DropscribeError(str(error)) from error


def _download(source: registry.Source) -> str:
    """Download one source; returns where it lies. Raises DropscribeError without a network."""
    try:
        if "/" not in source.repository:
            return _download_bundle(source.repository)
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - heavy, and only for this

        return str(
            snapshot_download(
                source.repository, revision=source.revision, ignore_patterns=_NOT_NEEDED
            )
        )
    except (OSError, ValueError, RuntimeError) as error:  # the last is torch's for a wrong digest
        raise DropscribeError(f"cannot fetch {source.repository}: {error}") from error


def _download_bundle(name: str) -> str:
    """One of torchaudio's models. It is a pickle: it is downloaded here, never opened."""
    from torch import hub  # noqa: PLC0415 - torch is heavy, and only for this

    from daemon.alignment.checkpoint import bundle_path, find_bundle  # noqa: PLC0415

    path = bundle_path(find_bundle(name))
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = checksums.TORCHAUDIO.get(path.name)
        hub.download_url_to_file(f"{_TORCHAUDIO}{path.name}", str(path), hash_prefix=digest)
    checksums.verify(path)
    return str(path)


@models.command(name="list")
def list_(config_path: Path) -> int:
    """The presets, and what is on this machine."""
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend)
    names = [registry.DEMO, *registry.PRESETS]
    if config.transcribe.model not in names:
        names.append(config.transcribe.model)
    for name in names:
        chosen = "*" if name == config.transcribe.model else " "
        print(f"{chosen} {name:<16} {_where(name, backend)}")
    return OK if _is_here(config.transcribe.model, backend) else FAILED


@models.command()
def verify(config_path: Path) -> int:
    """Hold the models on this machine against their SHA-256."""
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend)
    folders = {"align demo": registry.BUNDLED / "align-demo"}
    for name in dict.fromkeys([registry.DEMO, *registry.PRESETS, config.transcribe.model]):
        if _is_here(name, backend):
            folders[name] = registry.find(name, backend.name, os.environ).folder
    damaged = 0
    for name, folder in folders.items():
        try:
            known = checksums.verify(folder)
            print(
                f"ok   {name:<16} {known} files" if known else f"     {name:<16} your own: {folder}"
            )
        except checksums.TamperedModelError as error:
            damaged += 1
            print(f"BAD  {name:<16} {error}")
    return FAILED if damaged else OK


def _where(name: str, backend: Backend) -> str:
    try:
        return str(registry.find(name, backend.name, os.environ).folder)
    except registry.ModelMissingError:
        return "not on this machine"


def _is_here(name: str, backend: Backend) -> bool:
    try:
        registry.find(name, backend.name, os.environ)
    except registry.ModelMissingError:
        return False
    return True
