"""`tomarium glossary`: what the words of tomography mean."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from tomarium.cli import show
from tomarium.model.level import DEFAULT, LEVELS


@click.command("glossary")
@click.argument("word", metavar="[WORD]", nargs=-1)
@click.option(
    "--level",
    type=click.Choice(list(LEVELS)),
    default=DEFAULT,
    show_default=True,
    help="pupil: plainly; student: also more exactly; scientist: also with a source.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(word: tuple[str, ...], level: str, as_json: bool) -> None:
    """Tell what WORD of tomography means; without WORD all words are listed.

    The same words stand on the page /glossary of a portal, and are linked in cards and lessons.

    \b
    tomarium glossary
    tomarium glossary flat field
    tomarium glossary voxel --level pupil
    """
    from tomarium.standards.glossary import word_of, words

    if not word:
        known = words()
        if as_json:
            show.as_json([_told(word, level) for word in known.values()])
        else:
            show.table([(word.term, word.plain) for word in known.values()])
        return
    one = word_of(" ".join(word))
    if as_json:
        show.as_json(_told(one, level))
        return
    click.secho(one.term, bold=True)
    told = _told(one, level)
    for key in ("plain", "student"):
        if key in told:
            click.echo(textwrap.fill(told[key], 96, initial_indent="  ", subsequent_indent="  "))
    click.echo(f"  See also {', '.join(words()[id].term for id in one.related)}")
    if "source" in told:
        click.echo(
            textwrap.fill(f"More in {told['source']}", 96, initial_indent="  ", subsequent_indent="  ")
        )


def _told(one: Any, level: str) -> dict[str, Any]:
    told = {"id": one.id, "term": one.term, "also": list(one.also), "plain": one.plain}
    if level != "pupil":
        told["student"] = one.student
    if level == "scientist":
        told["source"] = one.source
    return told | {"related": list(one.related)}
