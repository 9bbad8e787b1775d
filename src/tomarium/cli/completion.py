"""`tomarium completion`: the Tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what has SHELL complete commands, options, steps, presets and records by the Tab key.

    Once, for every shell that is opened from then on:

    \b
    tomarium completion bash >> ~/.bashrc
    tomarium completion zsh >> ~/.zshrc
    tomarium completion fish > ~/.config/fish/completions/tomarium.fish

    \b
    tomarium run scan.h5 --preset <Tab>          standard  phase  rings …
    tomarium run scan.h5 --set fbp.<Tab>         axis_column=  window= …
    tomarium publish to<Tab>                     identifiers of your records
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(None, {}, "tomarium", "_TOMARIUM_COMPLETE").source())  # type: ignore[arg-type]
