"""What a shell completes by the Tab key besides names of commands, options and files: steps, presets, records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import click
from click.shell_completion import CompletionItem

Values = Callable[[click.Context, str], Iterable[str]]
_MOST: Final = 200  # records that are offered


def complete_values(command: click.Command) -> click.Command:
    """Have a shell complete the values of a command and of those below it.

    Parameters
    ----------
    command : click.Command
        Any command; its parameters are looked up by how help names their values.

    Returns
    -------
    click.Command
        The same one.
    """
    for parameter in command.params:
        values = _values_of(command, parameter)
        if values is not None:
            files = "RECORD" in (parameter.metavar or "")
            parameter.shell_complete = _completer(values, files)  # type: ignore[method-assign, assignment]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            complete_values(below)
    return command


def _values_of(command: click.Command, parameter: click.Parameter) -> Values | None:
    if "RECORD" in re.findall(r"\w+", parameter.metavar or ""):
        return _records
    if isinstance(parameter, click.Option):
        return next((_BY_OPTION[word] for word in parameter.opts if word in _BY_OPTION), None)
    return _BY_ARGUMENT.get((command.name, parameter.name))


def _completer(values: Values, files: bool) -> Callable[[click.Context, str], list[CompletionItem]]:
    """Return what click asks; where a file or folder may stand as well, the shell offers these."""

    def complete(context: click.Context, prefix: str) -> list[CompletionItem]:
        try:
            items = [CompletionItem(value) for value in values(context, prefix) if value.startswith(prefix)]
        except Exception:  # a shell that waits for names is no place for an error
            items = []
        return items + ([CompletionItem(prefix, type="file")] if files else [])

    return complete


def _steps(_context: click.Context, _begun: str) -> Iterable[str]:
    from tomarium.steps.core.serialization import all_steps

    return all_steps()


def _presets(_context: click.Context, _begun: str) -> Iterable[str]:
    from tomarium.pipeline.protocol.protocol import PRESETS

    return PRESETS


def _assignments(_context: click.Context, prefix: str) -> Iterable[str]:
    """Name steps, and the parameters of the only one that is left."""
    from tomarium.steps.core.serialization import all_steps

    name = prefix.partition(".")[0]
    steps = {step: value for step, value in all_steps().items() if value.parameters and step.startswith(name)}
    if "." in prefix:
        steps = {name: steps[name]}
    if len(steps) > 1:
        return [f"{step}." for step in steps]
    return [f"{step}.{parameter.name}=" for step, value in steps.items() for parameter in value.parameters]


def _formats(_context: click.Context, _begun: str) -> Iterable[str]:
    from tomarium.formats import formats

    return formats()


def _words(_context: click.Context, _begun: str) -> Iterable[str]:
    from tomarium.standards.glossary import words

    return [word.term for word in words().values()]


def _records(context: click.Context, prefix: str) -> Iterable[str]:
    """Name records of the catalogue that the line tells, or of the user's own; none is made."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.queries import identifiers
    from tomarium.catalogue.reader import LOCAL_OWNER

    with (
        open_catalogue(context.params.get("catalogue"), make=False) as catalogue,
        catalogue.reading() as connection,
    ):
        return identifiers(connection, LOCAL_OWNER, prefix, _MOST)


_BY_OPTION: Final[dict[str, Values]] = {"--step": _steps, "--set": _assignments, "--preset": _presets}
_BY_ARGUMENT: Final[dict[tuple[str | None, str | None], Values]] = {
    ("steps", "name"): _steps,
    ("formats", "name"): _formats,
    ("glossary", "word"): _words,
}
