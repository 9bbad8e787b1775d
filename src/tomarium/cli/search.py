"""`tomarium search`: find records."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE
from tomarium.errors import ParameterError
from tomarium.standards.identifiers import doi_address

if TYPE_CHECKING:
    from tomarium.catalogue.asked import Asked
    from tomarium.catalogue.catalogue import Catalogue

_NAMED = 3  # of more than so many creators the first is named


@click.command("search")
@click.argument("words", nargs=-1)
@click.option(
    "--filter",
    "filters",
    metavar="FACET=VALUE",
    multiple=True,
    help="Only those with this technique, instrument, facility, proposal, taxon, licence (or 'none stated'), year, "
    "state, access (open, embargo) or catalogue, or by what they hold: volume, projections, image, mesh, table or "
    "'plain card'; of one facet any will do.",
)
@click.option(
    "--range",
    "ranges",
    metavar="RANGE",
    multiple=True,
    help="Only those with a number in it, such as 'pixel<1um'.",
)
@click.option(
    "--with",
    "companions",
    metavar="TECHNIQUE",
    multiple=True,
    help="Only those whose specimen has another image by this technique: ct, eds, ebsd, sem, fib, or a name of PaNET; "
    "of several all must be among its images.",
)
@click.option(
    "--sort", type=click.Choice(["relevance", "newest"]), default="relevance", help="Which come first."
)
@click.option("--facets", is_flag=True, help="Count the values of each facet too.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Records shown.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    words: tuple[str, ...],
    filters: tuple[str, ...],
    ranges: tuple[str, ...],
    companions: tuple[str, ...],
    sort: str,
    facets: bool,
    limit: int,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Find the records that hold all WORDS; without words, the newest.

    The last word may be the beginning of one; "several words" in quotes stand together.

    With --with the other records of the same specimen are asked, of what it was made from, and of what was made from
    it: --with ct finds the maps of a section whose block has a CT. With --with eds --with ct both are found, and
    whatever else there is of a specimen that has both.

    Records that were harvested from other catalogues (tomarium harvest) are found beside those of this one, with their
    source, the day of the harvest, the address of their page there and their DOI; --filter catalogue=here leaves them
    out.

    \b
    tomarium search tooth
    tomarium search '"quartz vein"' ESRF --limit 5
    tomarium search bone --range 'pixel<1um' --range 'energy=20..60keV' --filter year=2026
    tomarium search Devonian --filter holds=mesh --filter licence=CC0-1.0 --range 'voxel<5um'
    tomarium search --filter 'licence=none stated'
    tomarium search "layered intrusion" --with eds --with ct
    """
    from tomarium.catalogue.asked import Asked
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.ranges import split_range
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.search import search

    asked = Asked(
        " ".join(words),
        _group_by_name(_split_filter(text) for text in filters),
        _group_by_name(split_range(text) for text in ranges),
        companions,
    )
    with open_catalogue(catalogue, make=False) as opened:
        page = search(
            opened,
            LOCAL_OWNER,
            asked.words,
            filters=asked.filters,
            ranges=asked.ranges,
            companions=companions,
            sort=sort,
            limit=limit,
            facets=facets,
            elsewhere=True,
        )
        advice = [] if page.total or as_json else _advice_on_nothing(opened, asked, words)
    if as_json:
        facets_content = {"facets": [asdict(facet) for facet in page.facets]} if facets else {}
        show.as_json({"total": page.total, "hits": [asdict(hit) for hit in page.hits], **facets_content})
        return
    for hit in page.hits:
        click.secho(hit.title, bold=True, nl=False)
        size = units.show(hit.bytes, "B", 3) if hit.bytes or not hit.source else ""
        click.echo(f"  {hit.id}  {hit.created[:10]}  {size}")
        others = f" and {len(hit.creators) - 1} more" if len(hit.creators) > _NAMED else ""
        names = "; ".join(hit.creators[: 1 if others else _NAMED]) + others
        energy = "" if hit.energy_kev is None else units.show(hit.energy_kev, "keV")
        if names or energy:
            click.echo(f"  {'  '.join(filter(None, (names, energy)))}")
        if hit.fetched is not None:
            also = f"; also in {', '.join(hit.also)}" if hit.also else ""
            click.echo(
                f"  from {hit.source}, as of {datetime.fromtimestamp(hit.fetched, UTC):%Y-%m-%d}{also}"
            )
            address_of_doi = doi_address(hit.doi) if hit.doi else ""
            for address in dict.fromkeys(filter(None, (hit.address, address_of_doi))):
                click.echo(f"  {address}")
        if hit.snippet:
            click.echo(f"  {hit.snippet}")
    click.echo(f"{page.total}{'+' if page.more else ''} found")
    for text in advice:
        click.echo(text, err=True)
    for facet in page.facets:
        click.echo(
            f"{facet.label}: {', '.join(f'{choice.value} ({choice.count})' for choice in facet.choices)}"
        )
    if page.facets_of_newest:
        click.echo("Counted among the 20 000 newest only")


def _filters_meant(words: Sequence[str]) -> str:
    """Write the words that name a facet, as `licence:CC-BY-4.0` does, as the options that ask for it."""
    from tomarium.catalogue.facets import FACETS

    parts = (re.fullmatch(r"(\w+)[:=](.+)", word) for word in words)
    return " ".join(
        f"--filter {shlex.quote(f'{part[1].lower()}={part[2]}')}"
        for part in parts
        if part and part[1].lower() in FACETS
    )


def _advice_on_nothing(catalogue: Catalogue, asked: Asked, words: Sequence[str]) -> list[str]:
    """Tell why nothing may have been found, and what would be found with one condition less."""
    from tomarium.catalogue.fewer_conditions import without_one
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.search import search

    advice = []
    if meant := _filters_meant(words):
        advice.append(f"words are looked for in the text of records; a facet is asked by {meant}")
    if not search(catalogue, LOCAL_OWNER, limit=1, elsewhere=True).total:
        advice.append(
            f"{catalogue.name}: this catalogue holds no records yet; file one: tomarium ingest RECORD, or name another "
            f"with --catalogue"
        )
        return advice
    for other in without_one(catalogue, LOCAL_OWNER, asked):
        condition = ", ".join(other.values)
        told = f"with {condition!r} as a range" if other.as_range else f"without {condition!r}"
        advice.append(f"{told}: {other.total}{'+' if other.more else ''} found")
    return advice


def _split_filter(text: str) -> tuple[str, str]:
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator or not value:
        raise ParameterError(f"--filter {text!r}: write FACET=VALUE, such as year=2026")
    return name, value


def _group_by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    values_by_name: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        values_by_name[name] = (*values_by_name.get(name, ()), value)
    return values_by_name
