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
        all_words = words()
        if as_json:
            show.as_json([_entry_data(word, level) for word in all_words.values()])
        else:
            show.table([(word.term, word.plain) for word in all_words.values()])
        return
    entry = word_of(" ".join(word))
    if as_json:
        show.as_json(_entry_data(entry, level))
        return
    click.secho(entry.term, bold=True)
    content = _entry_data(entry, level)
    for key in ("plain", "student"):
        if key in content:
            click.echo(textwrap.fill(content[key], 96, initial_indent="  ", subsequent_indent="  "))
    click.echo(f"  See also {', '.join(words()[id].term for id in entry.related)}")
    if "source" in content:
        click.echo(
            textwrap.fill(f"More in {content['source']}", 96, initial_indent="  ", subsequent_indent="  ")
        )


def _entry_data(entry: Any, level: str) -> dict[str, Any]:
    content = {"id": entry.id, "term": entry.term, "also": list(entry.also), "plain": entry.plain}
    if level != "pupil":
        content["student"] = entry.student
    if level == "scientist":
        content["source"] = entry.source
    return content | {"related": list(entry.related)}
