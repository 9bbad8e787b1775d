"""Options of a command under headings, where there are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class OptionMaker(Protocol):
    """What `click.option` is, for options under one heading."""

    def __call__(self, *names: str, **settings: Any) -> Callable[[F], F]:
        """Return a decorator that adds an option; arguments are those of `click.option`."""


class GroupedOption(click.Option):
    """An option that is listed under a heading."""

    heading = "Options"


class GroupedCommand(click.Command):
    """A command whose help lists its options by heading, in the order they are declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options; those without a heading come last."""
        by_heading: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                heading = parameter.heading if isinstance(parameter, GroupedOption) else "Options"
                by_heading.setdefault(heading, []).append(record)
        by_heading["Options"] = by_heading.pop("Options", [])
        for heading, records in by_heading.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def under(heading: str) -> OptionMaker:
    """Return a maker of options that are listed under a heading; use it as `click.option`."""
    kind = type("HeadedOption", (GroupedOption,), {"heading": heading})

    def option(*names: str, **settings: Any) -> Callable[[F], F]:
        return click.option(*names, cls=kind, **settings)

    return option
