"""`tomarium search`: find records."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tomarium import units
from tomarium.cli import show


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Records shown.")
@click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(words: tuple[str, ...], limit: int, catalogue: Path | None, as_json: bool) -> None:
    """Find the records that hold all WORDS; without words, the newest.

    The last word may be the beginning of one; "several words" in quotes stand together.

    \b
    tomarium search tooth
    tomarium search '"quartz vein"' ESRF --limit 5
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.search import search

    with open_catalogue(catalogue, make=False) as opened:
        page = search(opened, LOCAL_OWNER, " ".join(words), limit=limit)
    if as_json:
        show.as_json({"total": page.total, "hits": [asdict(hit) for hit in page.hits]})
        return
    for hit in page.hits:
        click.secho(hit.title, bold=True, nl=False)
        click.echo(f"  {hit.id}  {hit.created[:10]}  {units.show(hit.bytes, 'B', 3)}")
        if hit.snippet:
            click.echo(f"  {hit.snippet}")
    click.echo(f"{page.total}{'+' if page.more else ''} found")
