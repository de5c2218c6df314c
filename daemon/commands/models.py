"""`dropscribe models fetch | list | verify`: the only command that downloads anything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from daemon.commands import memory_table
from daemon.commands.command_line import Group
from daemon.commands.download import download
from daemon.commands.json_output import print_line
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.languages import code_of
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.models import checksums, hardware, registry
from daemon.models.aligners import NoAlignModelError, read_catalogue
from daemon.models.hardware import Backend

_ALIGNED = ("en",)  # fetched unless languages are named or configured


@click.group(
    cls=Group,
    examples=[
        ("dropscribe models fetch", "what the configuration needs, once"),
        ("dropscribe models fetch small", "another model, by its name"),
        ("dropscribe models fetch en German", "word times for these languages"),
    ],
)
def models() -> None:
    """Fetch the models that are needed, list or verify them. Nothing else uses the network.

    `plan` shows what fits the memory of this machine, and of others.
    """


@models.command()
@click.argument("names", nargs=-1, metavar="[MODEL|LANGUAGE]...")
@click.option(
    "--backend",
    type=click.Choice(["mlx", "ctranslate2"]),
    help="Weights for this one, to compare both.",
)
def fetch(config_path: Path, names: tuple[str, ...], backend: str | None) -> int:
    """Download models: presets, repositories of the hub, or word times for languages.

    Without names, what the configuration needs. What was interrupted goes on where it was.
    """
    config = config_file.load(config_path)
    chosen = hardware.choose(backend or config.transcribe.backend)  # type: ignore[arg-type]
    wanted = _named(names, chosen) if names else _configured(config, chosen)
    for name, source in list(wanted):  # every name is looked up before anything is fetched
        print(f"{name}: {source.repository} …", flush=True)
        print(f"  {download(name, source)}")
        if (copy := _converted(source)) is not None:
            print(f"  {copy}")
    return OK


def _converted(source: registry.Source) -> Path | None:
    """An aligner that is a pickle is converted now, not while the first file waits for it."""
    from daemon.alignment.conversion import convert_fetched  # noqa: PLC0415 - numpy, and torch

    return convert_fetched(source, registry.aligner_conversions(os.environ))


def _named(names: Iterable[str], backend: Backend) -> Iterator[tuple[str, registry.Source]]:
    for name in names:
        if name == registry.BASE:
            continue  # it is in the package
        if name in registry.PRESETS:
            yield name, registry.PRESETS[name][backend.name]
        elif "/" in name:
            yield name, registry.Source(name)
        elif (code := code_of(name)) is not None:
            yield f"word times for {code}", _aligner(code)
        else:
            presets = ", ".join(registry.PRESETS)
            raise UsageError(f"{name}: no preset ({presets}), no repository, no language")


def _configured(config: Config, backend: Backend) -> Iterator[tuple[str, registry.Source]]:
    model = config.transcribe.model
    if model != registry.BASE and not Path(model).expanduser().is_dir():
        yield from _named([model], backend)
    if not config.align.enabled:
        return
    if named := config.align.model:
        if not Path(named).expanduser().is_dir():
            yield named, registry.Source(named)
        return
    chosen = config.transcribe.languages or (config.transcribe.language,)
    yield from _named(filter(None, chosen if any(chosen) else _ALIGNED), backend)


def _aligner(language: str) -> registry.Source:
    """WhisperX's model for the language; torchaudio's are fetched by name, not from the hub."""
    try:
        return registry.Source(read_catalogue().model_for(language))
    except NoAlignModelError as error:
        raise DropscribeError(str(error)) from error


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config_path: Path, as_json: bool) -> int:
    """The presets, and what is on this machine."""
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend)
    names = [registry.BASE, *registry.PRESETS]
    if config.transcribe.model not in names:
        names.append(config.transcribe.model)
    for name in names:
        chosen, folder = name == config.transcribe.model, _folder(name, backend)
        if as_json:
            size = registry.BYTES.get(name)
            print_line({"name": name, "chosen": chosen, "bytes": size, "folder": folder})
        else:
            where = folder or "not on this machine"
            shown = "" if name == where else f"  {where}"
            print(f"{'*' if chosen else ' '} {name:<16} {_size(name):<7}{shown}")
    return OK if registry.is_here(config.transcribe.model, backend.name, os.environ) else FAILED


@models.command()
def verify(config_path: Path) -> int:
    """Hold the models on this machine against their SHA-256."""
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend)
    folders: dict[str, Path] = {}
    for name in dict.fromkeys([registry.BASE, *registry.PRESETS, config.transcribe.model]):
        if registry.is_here(name, backend.name, os.environ):
            folders[name] = registry.find(name, backend.name, os.environ).folder
    for copy in sorted(registry.aligner_conversions(os.environ).glob("[!.]*/")):
        folders[f"aligner {copy.name[:8]}"] = copy
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


@models.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def plan(config_path: Path, as_json: bool) -> int:
    """How much is decoded at once, and the memory it takes: on this machine, and on Macs."""
    table = memory_table.rows(hardware.choose(config_file.load(config_path).transcribe.backend))
    if not as_json:
        print(memory_table.text(table))
    for row in table if as_json else ():
        print_line(row)
    return OK


def _size(name: str) -> str:
    size = registry.BYTES.get(name)
    return f"{size / 1e9:.1f} GB" if size else ""


def _folder(name: str, backend: Backend) -> str | None:
    """Where the model lies on this machine, if it does."""
    try:
        return str(registry.find(name, backend.name, os.environ).folder)
    except registry.ModelMissingError:
        return None
