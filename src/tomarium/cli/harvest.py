"""`tomarium harvest`: records of other catalogues, found beside ours by one search."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.catalogue import Catalogue
    from tomarium.catalogue.harvest_sources import Source
    from tomarium.portal.harvests.harvester import Harvest

SHOWN: Final = 10
SPANS: Final = {"never": 0.0, "hour": 3600.0, "day": 86_400.0, "week": 604_800.0}


@click.group("harvest", invoke_without_command=True)
@click.option("--all", "due", is_flag=True, help="Harvest every source that is due by its --every.")
@click.option("--again", is_flag=True, help="With --all: all sources, due or not, and all of each.")
@click.option(
    "--forget", metavar="TITLE", help="Forget a source by its title or address, and all that is kept of it."
)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def command(
    context: click.Context,
    due: bool,
    again: bool,
    forget: str | None,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Harvest other catalogues, so that one search finds their records beside ours; alone, list the sources.

    What is harvested is shown with its source and its age, and is nobody's to edit or publish here; its files stay at
    the source. A record that several sources tell, by its DOI or else by the address of its page, is found once, as the
    source that tells most tells it, with the others named. It goes when the last of them tells it no more. A worker
    harvests what is due by itself. No source is waited for long: see the help of oai and panosc.

    \b
    tomarium harvest oai https://data.example.org/oai --every day
    tomarium harvest panosc https://data.example.org/panosc/api
    tomarium harvest
    tomarium harvest --all
    tomarium harvest --forget "Example data"
    """
    if context.invoked_subcommand is not None:
        return
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.harvest_sources import all_sources

    with open_catalogue(catalogue, make=False) as opened:
        if forget is not None:
            _forget_source(opened, forget)
            return
        with opened.reading() as connection:
            all_known = all_sources(connection)
        if due or again:
            chosen = [source for source in all_known if again or source.is_due()]
            context.exit(0 if _harvest_each(opened, chosen, again=again) else 1)
        _print_sources(all_known, as_json=as_json)


@command.command("oai")
@click.argument("place", metavar="FILE|URL")
@click.option("--set", "selection", default="", metavar="SET", help="Only this set of the repository.")
@click.option("--title", default="", help="What the catalogue is called here; its own name by default.")
@click.option("--every", type=click.Choice(list(SPANS)), help="How often a worker harvests it of itself.")
@click.option(
    "--from",
    "since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only what was changed from that day on; from the last harvest by default.",
)
@click.option(
    "--again", is_flag=True, help="Read all of it, not only what was changed since the last harvest."
)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def oai(
    context: click.Context,
    place: str,
    selection: str,
    title: str,
    every: str | None,
    since: datetime | None,
    again: bool,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Harvest an OAI-PMH repository at URL, or an answer of one that was saved as FILE.

    Title, creators, dates, licence, DOI, techniques, keywords and the description are kept, of DataCite's metadata or
    of Dublin Core. The next call asks only for what was changed since; what the source deleted goes, and what is under
    embargo there says so. Stop it with Ctrl-C: the same command goes on where it was. A repository that is busy is
    waited for as it asks (Retry-After), up to ten minutes at a time and twenty for one part of the list; one that says
    nothing is asked three times, 30 s each. One that is slow, down or wrong is noted, its records stay as they were,
    and the next harvest goes on where this one ended.

    \b
    tomarium harvest oai https://data.example.org/oai
    tomarium harvest oai https://zenodo.example.org/oai2d --set user-tomography --title "Tomography at Example"
    tomarium harvest oai ListRecords.xml --title "A list by mail"
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.harvest_sources import note, source_of
    from tomarium.portal.harvest_jobs import harvest
    from tomarium.portal.harvests import oai as protocol

    file = None if "://" in place else Path(place)
    if file is not None and not file.is_file():
        raise click.UsageError(
            f"{place}: is no file, and no address that begins with https://; give one of them"
        )
    if file is not None and (selection or every or since):
        raise click.UsageError(
            "--set, --every and --from are for the address of a repository; a file is kept as it is"
        )
    with open_catalogue(catalogue) as opened:
        if file is not None:
            source, outcome = protocol.harvest_file(opened, file, title=title)
        else:
            every_s = None if every is None else SPANS[every]
            source = protocol.known_source(opened, place, selection, title=title, every_s=every_s)
            if since is not None:
                with opened.writing() as connection:
                    note(connection, source.number, response_date=f"{since:%Y-%m-%dT00:00:00Z}", token="")
                    source = source_of(connection, source.number)
            outcome = harvest(opened, source, again=again, tell=show.progress())
    _print_harvest(source, outcome, as_json=as_json)
    context.exit(1 if outcome.kept.problems else 0)


@command.command("panosc")
@click.argument("place", metavar="FILE|URL")
@click.option(
    "--title", default="", help="What the catalogue is called here; its host or file's name by default."
)
@click.option("--every", type=click.Choice(list(SPANS)), help="How often a worker harvests it of itself.")
@click.option("--again", is_flag=True, help="Begin anew, where the last harvest was interrupted.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def panosc(
    context: click.Context,
    place: str,
    title: str,
    every: str | None,
    again: bool,
    catalogue: Path | str | None,
    as_json: bool,
) -> None:
    """Harvest a PaNOSC search API at URL, or a FILE of its entities.

    Datasets are found by the search with their parameters, techniques, samples and instrument; they, documents and
    instruments are told by the PaNOSC search API of this catalogue, too (/panosc/api). All of it is listed each time;
    what is listed no longer goes, once the listing came to its end. Stop it with Ctrl-C: the same command goes on where
    it was. A provider that says nothing is asked three times, 5 s each; one that is busy as it asks (Retry-After), up
    to a minute at a time. One that is slow, down or wrong is noted, and what was kept of it stays.

    FILE is JSON: the lists Datasets, Documents and Instruments as the API answers them, or the data of the reference
    implementation.

    \b
    tomarium harvest panosc https://data.example.org/panosc/api --title "Example" --every day
    tomarium harvest panosc db.json
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.portal.harvest_jobs import harvest
    from tomarium.portal.harvests import panosc as protocol

    file = None if "://" in place else Path(place)
    if file is not None and not file.is_file():
        raise click.UsageError(
            f"{place}: is no file, and no address that begins with https://; give one of them"
        )
    if file is not None and every:
        raise click.UsageError("--every is for the address of a provider; a file is kept as it is")
    with open_catalogue(catalogue) as opened:
        if file is not None:
            source, outcome = protocol.harvest_file(opened, file, title=title, tell=show.progress())
        else:
            every_s = None if every is None else SPANS[every]
            source = protocol.known_source(opened, place, title=title, every_s=every_s)
            outcome = harvest(opened, source, again=again, tell=show.progress())
    _print_harvest(source, outcome, as_json=as_json)
    context.exit(1 if outcome.kept.problems else 0)


def _harvest_each(opened: Catalogue, sources: list[Source], *, again: bool) -> bool:
    """Harvest sources one after another; one that does not answer keeps none of the others from it."""
    from tomarium.errors import DatabaseUnavailable, TomariumError
    from tomarium.portal.harvest_jobs import harvest

    all_well = True
    if not sources:
        click.echo("No source is due.")
    for source in sources:
        try:
            outcome = harvest(opened, source, again=again, tell=show.progress())
        except DatabaseUnavailable:
            raise
        except TomariumError as problem:
            show.warnings([f"{source.title}: {problem}"])
            all_well = False
            continue
        _print_harvest(source, outcome, as_json=False)
        all_well &= not outcome.kept.problems
    return all_well


def _print_harvest(source: Source, harvest_made: Harvest, *, as_json: bool) -> None:
    from dataclasses import asdict

    from tomarium.portal.harvest_jobs import describe_harvest

    if as_json:
        show.as_json({"source": source.title, "address": source.address, **asdict(harvest_made)})
        return
    click.echo(f"{source.title}: {describe_harvest(harvest_made)}")
    for note in harvest_made.notes:
        click.echo(f"  {note[:1].upper()}{note[1:]}.")
    problems = list(harvest_made.kept.problems)
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    show.warnings([*problems[:SHOWN], *more])


def _print_sources(all_known: list[Source], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        show.as_json([asdict(source) for source in all_known])
        return
    if not all_known:
        click.echo(
            "No other catalogue is harvested; begin with: tomarium harvest oai https://data.example.org/oai"
        )
    for source in all_known:
        click.secho(source.title, bold=True, nl=False)
        last = "not read to its end yet"
        if source.finished_utc is not None:
            last = f"as of {datetime.fromtimestamp(source.finished_utc, UTC):%Y-%m-%d %H:%M} UTC"
        click.echo(f"  {source.kind}  {source.kept()}, {last}  {source.address}")
        if source.error:
            show.warnings([source.error])


def _forget_source(opened: Catalogue, name: str) -> None:
    from tomarium.catalogue.harvest_sources import find_source, forget_source
    from tomarium.catalogue.harvested import forget_all

    with opened.writing() as connection:
        source = find_source(connection, name)
        forget_all(connection, source.number)
        forget_source(connection, source.number)
    click.echo(f"{source.title}: forgotten, with {source.kept()} that were kept of it")
