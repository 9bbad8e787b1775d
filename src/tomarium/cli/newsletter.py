"""`tomarium newsletter`: a text about the records that were published lately."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli.catalogue_place import PLACE


@click.command("newsletter")
@click.option("--since", required=True, metavar="DAY", help="The first day, such as 2026-10-01.")
@click.option("--until", default="", metavar="DAY", help="The last day; today by default.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "text"]),
    default="markdown",
    show_default=True,
    help="How it is written.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; the terminal by default."
)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
def command(since: str, until: str, form: str, output: Path | None, catalogue: Path | str | None) -> None:
    """Write a newsletter about the records that were published since a day.

    Of each record it tells the title, two sentences, a picture and how it is cited; the curators' choice comes first,
    then one technique after the other. Only what everybody may see is told. Pages and pictures are linked where the
    setting `address` says where the portal is.

    \b
    tomarium newsletter --since 2026-10-01
    tomarium newsletter --since 2026-10-01 --until 2026-12-31 --format html -o news.html
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.newsletter import make_newsletter, read_day, write_newsletter

    first, last = read_day(since), read_day(until) if until else None
    with open_catalogue(catalogue, make=False) as opened:
        newsletter = make_newsletter(opened, first, last)
    text = write_newsletter(newsletter, form)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"{output}: {newsletter.total} records")
