"""`tomarium steps`: what can stand in a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomarium.cli import show

if TYPE_CHECKING:
    from tomarium.steps.core.step import AnyStep


@click.command("steps")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON schemas for machines.")
def command(name: str | None, as_json: bool) -> None:
    """List the steps a protocol is made of, or explain the one called NAME.

    \b
    tomarium steps
    tomarium steps fbp
    """
    from tomarium.steps.core.serialization import (
        all_steps,
        default_in_words,
        describe,
        find_step,
        schema,
        type_in_words,
    )

    chosen = [find_step(name)] if name else list(all_steps().values())
    if as_json:
        schemas = {step.name: schema(step) | _package(step) for step in chosen}
        show.as_json(schemas[chosen[0].name] if name else schemas)
        return
    for step in chosen:
        description = describe(step)
        kind = type(step).__name__.lower()
        click.secho(step.name, bold=True, nl=False)
        more = f", also {', '.join(step.aliases)}" if step.aliases else ""
        more += "".join(f", package {package}" for package in _package(step).values())
        click.echo(f"  ({kind}{more})")
        click.echo(f"  {description.summary}")
        if name and description.text:
            click.echo(
                "\n"
                + "\n".join(f"  {line}".rstrip() for line in description.text.splitlines())
                + ("\n" if step.parameters else "")
            )
        for parameter in step.parameters:
            click.echo(
                f"    {parameter.name}: {type_in_words(parameter)}; default {default_in_words(parameter)}"
            )
            if name:
                click.echo(f"        {description.parameters.get(parameter.name, '')}")
        for title, text in description.sections.items() if name else ():
            click.echo(f"\n  {title}\n" + "\n".join(f"    {line}".rstrip() for line in text.splitlines()))


def _package(step: AnyStep) -> dict[str, str]:
    """Tell the package and version of a step that is not ours."""
    from tomarium.registry import package_of

    name, version = package_of(step.function)
    return {} if name == "tomarium" else {"package": f"{name} {version}"}
