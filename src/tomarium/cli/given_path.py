"""A path that a user gives: one that a file can have, before anything is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class GivenPath(click.Path):
    """A path as text; click itself takes "" for the present folder, and stumbles over what no file can be called."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn what was given into a path; raises FormatError where no file can have it."""
        from tomarium.formats.opening.messages import place_of

        place_of(value)
        if str(value).startswith("s3://"):
            from tomarium.catalogue.store import place_at

            return place_at(str(value))
        return super().convert(value, param, ctx)


class PathOrAddress(click.Path):
    """A path, or the address of an OME-Zarr image on the web."""

    name = "path or address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn what was given into a path, or a `WebPath`; raises InputError where it is neither."""
        from tomarium.datasets.addresses import is_address

        if is_address(value):
            from tomarium.datasets.web_files import web_path

            return web_path(value)
        return GivenPath(path_type=Path).convert(value, param, ctx)


def check_paths(command: click.Command) -> click.Command:
    """Let a command, and those below it, take only paths that a file can have.

    Parameters
    ----------
    command : click.Command
        Any command; each of its parameters that is a path is changed.

    Returns
    -------
    click.Command
        The same one.
    """
    for parameter in command.params:
        if type(parameter.type) is click.Path:
            # Whether it may be read is said by what opens it, in its own words.
            path = parameter.type
            parameter.type = GivenPath(
                path_type=Path, file_okay=path.file_okay, dir_okay=path.dir_okay, readable=False
            )
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            check_paths(subcommand)
    return command


def demand_new(output: Path | None, overwrite: bool) -> None:
    """Refuse to write where something is already; raises InputError."""
    from tomarium.errors import InputError

    if output is not None and output.exists() and not overwrite:
        raise InputError(
            f"{output}: exists already; give another name, or allow to overwrite it (--overwrite)"
        )
