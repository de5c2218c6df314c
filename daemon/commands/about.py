"""`dropscribe help | version | completion`: the command line about itself."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from daemon import __version__
from daemon.commands.command_line import LazyGroup
from daemon.errors import OK

_WHERE = {
    "bash": 'eval "$(dropscribe completion bash)"  # a line for ~/.bashrc',
    "zsh": 'eval "$(dropscribe completion zsh)"  # a line for ~/.zshrc',
    "fish": "dropscribe completion fish | source  # a line for ~/.config/fish/config.fish",
}


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(context: click.Context, words: tuple[str, ...]) -> int:
    """Explain a command, or list all commands."""
    shown = context.find_root()
    for word in words:
        if not isinstance(shown.command, click.Group):
            raise click.UsageError(f"{shown.command_path} has no commands of its own")
        _, found, _ = shown.command.resolve_command(shown, [word])
        assert found is not None
        shown = click.Context(found, shown, word, **found.context_settings)
    click.echo(shown.get_help())
    return OK


@click.command()
def version() -> int:
    """Print the version."""
    click.echo(f"dropscribe {__version__}")
    return OK


@click.command()
@click.argument("shell", type=click.Choice(list(_WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the completion script for a shell; its first line says where to put what."""
    found = get_completion_class(shell)
    root = context.find_root().command
    assert found is not None
    assert isinstance(root, LazyGroup)
    click.echo(f"# {_WHERE[shell]}")
    click.echo(found(root, {}, "dropscribe", "_DROPSCRIBE_COMPLETE").source())
    return OK
