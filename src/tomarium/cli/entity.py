"""`tomarium entity`: specimens, proposals, instruments, facilities, organisations, collections and documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import show
from tomarium.model.entity import HOWS, KINDS

if TYPE_CHECKING:
    from tomarium.catalogue.entities import Held

FACTS = click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="KEY=TEXT",
    help="A fact, such as taxon='Ursus spelaeus'; @FILE reads it.",
)
CATALOGUE = click.option(
    "--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default."
)


@click.group("entity")
def command() -> None:
    """Describe what records are of and come from: specimens, proposals, instruments, facilities and more.

    `tomarium entity facts KIND` lists what can be told of each kind. Facts such as a donor's age are private: seen by
    who keeps the entity alone, unless they are disclosed.

    \b
    tomarium entity new specimen "Heart of donor 27" --id heart-27 --fact taxon="Homo sapiens" --fact age=63
    tomarium entity new specimen "Block of the left ventricle" --id heart-27-b1
    tomarium entity link heart-27-b1 --section heart-27
    tomarium edit tooth-1a2b3c4d --specimen heart-27-b1
    tomarium entity publish heart-27
    tomarium entity new facility ESRF --fact ror=https://ror.org/02550n020 --fact country=France
    """


@command.command("facts")
@click.argument("kind", type=click.Choice(list(KINDS)))
def facts_(kind: str) -> None:
    """List what can be told of a KIND."""
    show.table(
        [
            (fact.key, f"{fact.label}{' (private)' if fact.private else ''}", fact.form)
            for fact in KINDS[kind].facts
        ]
    )


@command.command("new")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option("--id", default="", help="Its identifier; one is made from the name by default.")
@FACTS
@CATALOGUE
def new(kind: str, name: str, id: str, facts: tuple[str, ...], catalogue: Path | None) -> None:
    """Make a KIND called NAME."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entity_edit import make_entity
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue) as opened:
        entity = make_entity(opened, LOCAL_OWNER, kind, name, read_facts(facts), id)
    click.echo(f"{entity.id}: {entity.name}")


@command.command("edit")
@click.argument("id")
@click.option("--name", help="Another name.")
@FACTS
@click.option(
    "--disclose",
    "disclosed",
    multiple=True,
    metavar="KEY",
    help="A private fact that is public; the list anew.",
)
@click.option("--team", help="A group of people who may change it too.")
@CATALOGUE
def edit(
    id: str,
    name: str | None,
    facts: tuple[str, ...],
    disclosed: tuple[str, ...],
    team: str | None,
    catalogue: Path | None,
) -> None:
    """Change what is told of ID; --fact KEY= takes a fact away. The crates and DOIs of its records follow."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entity_edit import change_entity
    from tomarium.catalogue.reader import LOCAL_OWNER

    public = tuple(key for key in disclosed if key) if disclosed else None
    with open_catalogue(catalogue, make=False) as opened:
        change_entity(opened, LOCAL_OWNER, id, read_facts(facts), name=name, disclosed=public, team=team)
        _print_entity(opened, id)


@command.command("show")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines, without its private facts.")
@CATALOGUE
def show_(id: str, as_json: bool, catalogue: Path | None) -> None:
    """Show ID with its private facts, what it was made from, and its records."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.standards.record_json import entity_json

    with open_catalogue(catalogue, make=False) as opened:
        if not as_json:
            _print_entity(opened, id)
            return
        with opened.reading() as connection:
            show.as_json(entity_json(demand_entity(connection, LOCAL_OWNER, id).entity))


@command.command("list")
@click.argument("kind", type=click.Choice(list(KINDS)))
@CATALOGUE
def list_(kind: str, catalogue: Path | None) -> None:
    """List all of a KIND, by their names."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import entities_of_kind
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        show.table(
            [
                (entity.entity.id, entity.entity.name)
                for entity in entities_of_kind(connection, LOCAL_OWNER, kind)
            ]
        )


def made_from(function: Any) -> Any:
    """Give a command the options that say from what a specimen was made."""
    for how in reversed(HOWS):
        function = click.option(f"--{how}", metavar="PARENT", help=f"It is {HOWS[how]} PARENT.")(function)
    return function


def parents(values: Mapping[str, str | None]) -> dict[str, str]:
    """Read these options: how a specimen was made → from which."""
    return {how: parent for how in HOWS if (parent := values[how.replace("-", "_")])}


@command.command("link")
@click.argument("child")
@made_from
@click.option("--remove", is_flag=True, help="Take the link back.")
@CATALOGUE
def link(child: str, remove: bool, catalogue: Path | None, **options: str | None) -> None:
    """Say from what the specimen CHILD was made; it may be made from several."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entity_edit import link_specimen
    from tomarium.catalogue.reader import LOCAL_OWNER

    links = parents(options)
    if not links:
        raise click.UsageError(f"say how it was made: --{' PARENT, --'.join(HOWS)} PARENT")
    with open_catalogue(catalogue, make=False) as opened:
        for how, parent in links.items():
            link_specimen(opened, LOCAL_OWNER, child, parent, how, remove=remove)
        _print_entity(opened, child)


@command.command("publish")
@click.argument("id")
@click.option("--doi/--no-doi", default=True, help="Whether it gets a DOI, where the catalogue has a prefix.")
@CATALOGUE
def publish(id: str, doi: bool, catalogue: Path | None) -> None:
    """Publish ID without its private facts; its DOI is registered by `tomarium worker`."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entity_edit import publish_entity
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        publish_entity(opened, LOCAL_OWNER, id, doi=doi)
        _print_entity(opened, id)


def _print_entity(opened: Any, id: str) -> None:
    from tomarium.catalogue.entities import children_of, demand_entity, members_of, records_of
    from tomarium.catalogue.entity_records import still_to_write
    from tomarium.catalogue.reader import LOCAL_OWNER

    with opened.reading() as connection:
        entity_and_access: Held = demand_entity(connection, LOCAL_OWNER, id)
        entity = entity_and_access.entity
        rows = [("kind", entity.kind)]
        for fact in KINDS[entity.kind].facts:
            fact_text = entity.facts.get(fact.key, "")
            hidden = " (private)" if fact.private and fact.key not in entity.disclosed else ""
            rows.append(
                (f"{fact.key}{hidden}", fact_text if isinstance(fact_text, str) else "; ".join(fact_text))
            )
        rows += [("made from", f"{HOWS[origin.how]} {origin.parent}") for origin in entity.origins]
        rows += [
            ("made from it", f"{child.id}, {how}") for child, how in children_of(connection, LOCAL_OWNER, id)
        ]
        rows += [("record", f"{name}: {title}") for name, title in records_of(connection, LOCAL_OWNER, id)]
        rows += [
            ("names", f"{text} {name}: {title}")
            for text, name, title in members_of(connection, LOCAL_OWNER, id)
        ]
        rows += [
            ("published", f"{entity.published:%Y-%m-%d}" if entity.published else "no"),
            ("doi", entity.doi),
        ]
        behind = still_to_write(connection, id)
    click.secho(f"{entity.id}: {entity.name}", bold=True)
    show.table([row for row in rows if row[1]])
    if behind:
        show.warnings([f"{behind} Let a worker do it: tomarium worker --once"])


def read_facts(texts: tuple[str, ...]) -> dict[str, str]:
    """Read the facts that are given as KEY=TEXT."""
    facts = {}
    for fact_text in texts:
        key, equals, text = fact_text.partition("=")
        if not equals:
            raise click.UsageError(f"--fact {fact_text!r}: give KEY=TEXT, such as taxon='Ursus spelaeus'")
        facts[key.strip()] = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    return facts
