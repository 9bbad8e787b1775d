"""The command `tomarium` itself: which commands there are, under headings; each is imported when it is asked for."""

from __future__ import annotations

import re
from difflib import get_close_matches
from importlib import import_module
from typing import Final

import click

from tomarium.cli.completion_values import complete_values
from tomarium.cli.given_path import check_paths

HEADINGS: Final = {
    "Look at a scan": ("info", "slice", "axis", "motion", "doctor", "advise"),
    "Reconstruct": ("run", "status", "plan", "protocol", "steps", "batch", "series"),
    "At the beamline": (
        *("watch", "menu", "profile", "roster", "mirror"),
        *("copy", "disks", "report"),
    ),
    "Work on volumes": (
        *("check", "measure", "recad", "denoise", "stitch", "segment"),
        *("mesh", "print", "model", "picture"),
    ),
    "Images of one specimen": ("align", "align-slices", "fuse", "sort-map", "rescue", "specimen", "where"),
    "Convert and compare": ("convert", "diff", "formats"),
    "File, find and publish": (
        *(
            "ingest",
            "import",
            "search",
            "edit",
            "entity",
            "log",
            "parcel",
            "invite",
            "completeness",
            "publish",
            "remove",
            "push",
            "pull",
        ),
        *("follow", "harvest", "publications", "newsletter", "dump", "site"),
    ),
    "Run a portal": (
        *("serve", "worker", "user", "token", "settings", "mail", "store", "index"),
        *("backup", "restore", "fsck", "fixity", "audit"),
    ),
    "Try and learn": ("demo", "simulate", "glossary", "worksheet", "completion", "docs"),
}
"""Heading → names of commands, in the order in which `tomarium --help` lists them."""

OTHER_NAMES: Final = ("check_reconstructions",)
"""Names that commands have elsewhere; they are commands, but not listed."""

MEANT: Final = {
    "reconstruct": "run",
    "reconstruction": "run",
    "recon": "run",
    "queue": "status",
    "jobs": "status",
    "progress": "status",
    "ps": "status",
    "top": "status",
    "preview": "slice",
    "view": "slice",
    "show": "info",
    "header": "info",
    "center": "axis",
    "centre": "axis",
    "cor": "axis",
    "find_center": "axis",
    "validate": "doctor",
    "cast": "recad",
    "register": "align",
    "upload": "push",
    "download": "pull",
    "fetch": "pull",
    "add": "ingest",
    "list": "search",
    "ls": "search",
    "find": "search",
    "portal": "serve",
    "web": "serve",
    "login": "user",
    "export": "convert",
    "init": "ingest",
    "create": "ingest",
    "new": "protocol",
    "delete": "remove",
    "rm": "remove",
    "discard": "remove",
    "stl": "print",
    "page": "model",
    "html": "model",
    "help": "--help",
    "version": "--version",
}
"""Words by which people ask for a command who come from other programs → its name."""

_MODULES: Final = {"import": "import_"}  # `import` is no name of a module
_LEAST: Final = 20  # characters that a sentence is not cut below


class CommandGroup(click.Group):
    """Commands that are imported when they are asked for, and listed under headings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of this name."""
        return load(cmd_name) if cmd_name in names() else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each command, under its heading."""
        width = max(len(name) for listed in HEADINGS.values() for name in listed)
        for heading, listed in HEADINGS.items():
            with formatter.section(heading):
                text_width = formatter.width - formatter.current_indent - width - 3
                rows = [
                    (name.ljust(width), first_words(load(name).help or "", text_width)) for name in listed
                ]
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for; where there is none, name the one that was meant."""
        name = args[0]
        if name in names() or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        known_as = MEANT.get(name.lower())
        alike = (
            [known_as]
            if known_as
            else get_close_matches(name, [name for name in names() if name not in OTHER_NAMES])
        )
        suggestions = " or ".join(f"`tomarium {name}`" for name in alike)
        raise click.UsageError(
            f"there is no command {name!r}" + (f"; did you mean {suggestions}?" if alike else ""), ctx
        )


def names() -> list[str]:
    """List the names of all commands, alphabetically."""
    return sorted((*OTHER_NAMES, *(name for listed in HEADINGS.values() for name in listed)))


def load(name: str) -> click.Command:
    """Import a command.

    Parameters
    ----------
    name : str
        As on the command line; a module of this package has it, with `_` for `-`.

    Returns
    -------
    click.Command
        The command, whose paths are checked and whose values a shell completes.
    """
    module = import_module(f"tomarium.cli.{_MODULES.get(name, name.replace('-', '_'))}")
    command: click.Command = module.command
    return complete_values(check_paths(command))


def first_words(text: str, text_width: int) -> str:
    """Cut the first sentence of a help text to a line, where the sentence can be cut.

    Parameters
    ----------
    text : str
        Help of a command.
    text_width : int
        Characters.

    Returns
    -------
    str
        The sentence; else what stands before its last colon or semicolon that fits; else as many words as fit, with
        "…" behind them.
    """
    sentence = re.split(r"\.(?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
    if len(sentence) <= text_width:
        return sentence
    ends = [match.start() for match in re.finditer("[:;]", sentence[: text_width + 1])]
    if ends and ends[-1] >= _LEAST:
        return sentence[: ends[-1]]
    return sentence[: sentence.rfind(" ", 0, text_width - 1)].rstrip(",") + " …"
