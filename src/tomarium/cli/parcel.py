"""`tomarium parcel`: parcels of specimens, from being announced to being stored."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE, read_facts
from tomarium.cli.specimen_tracking import PICTURES
from tomarium.errors import InputError
from tomarium.model.parcel import FACTS, STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomarium.catalogue.parcels import Parcel

TOLD = click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="KEY=TEXT",
    help=f"What is told of it: {', '.join(fact.key for fact in FACTS)}; @FILE reads it.",
)
RECEIVER = click.option("--receiver", metavar="ACCOUNT", help="Account that may say that it arrived.")


@click.group("parcel")
def command() -> None:
    """Follow parcels of specimens: announced, sent, received, stored, returned.

    A parcel and its specimens move together: what is told of the parcel stands in the history of each specimen. Each
    state is added to those before; a wrong one is corrected by another. Addresses and telephones are seen by who
    announced it, its receiver and curators alone.

    \b
    tomarium parcel new rum-7 rum-7-core --fact carrier=DHL --fact receiver="BM05, ESRF" --receiver ada
    tomarium parcel send parcel-2026-1 --tracking "JD 0146 0000"
    tomarium parcel receive parcel-2026-1 --to "lab 3 / shelf B" --condition "box dry" --picture box.jpg
    tomarium parcel list
    """


@command.command("new")
@click.argument("specimens", metavar="SPECIMEN...", nargs=-1, required=True)
@click.option("--id", default="", help="Its identifier; the year and a number by default.")
@TOLD
@RECEIVER
@CATALOGUE
def new(
    specimens: tuple[str, ...],
    id: str,
    facts: tuple[str, ...],
    receiver: str | None,
    catalogue: Path | None,
) -> None:
    """Announce a parcel that holds each SPECIMEN."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.parcels import make_parcel
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        parcel = make_parcel(
            opened, LOCAL_OWNER, read_facts(facts), specimens, receiver=receiver or "", id=id
        )
    _print_parcel(parcel)


@command.command("edit")
@click.argument("parcel")
@click.option(
    "--specimen", "specimens", multiple=True, help="All that is in it from now on, before it is sent."
)
@TOLD
@RECEIVER
@CATALOGUE
def edit(
    parcel: str,
    specimens: tuple[str, ...],
    facts: tuple[str, ...],
    receiver: str | None,
    catalogue: Path | None,
) -> None:
    """Change what is told of PARCEL; that it was changed stands in its history."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.parcels import change_parcel
    from tomarium.catalogue.reader import LOCAL_OWNER

    facts_read = read_facts(facts)
    if not (facts_read or specimens or receiver is not None):
        raise click.UsageError("give what is to be changed: --fact KEY=TEXT, --specimen or --receiver")
    with open_catalogue(catalogue, make=False) as opened:
        changed = change_parcel(
            opened, LOCAL_OWNER, parcel, facts_read, specimens=specimens or None, receiver=receiver
        )
    _print_parcel(changed)


@command.command("send")
@click.argument("parcel")
@click.option("--tracking", help="Its tracking number.")
@click.option("--note", default="", help="What else there is to say.")
@PICTURES
@CATALOGUE
def send(
    parcel: str, tracking: str | None, note: str, pictures: tuple[Path, ...], catalogue: Path | None
) -> None:
    """Say that PARCEL was sent: its specimens are on their way."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.parcels import change_parcel, tell_of_parcel
    from tomarium.catalogue.reader import LOCAL_OWNER

    files = [(picture.name, picture.read_bytes()) for picture in pictures]
    with open_catalogue(catalogue, make=False) as opened:
        if tracking:
            change_parcel(opened, LOCAL_OWNER, parcel, {"tracking": tracking})
        _print_parcel(tell_of_parcel(opened, LOCAL_OWNER, parcel, "sent", note=note, files=files))


def _add_state_command(name: str, state: str, help: str) -> Callable[..., None]:
    @command.command(name, help=help)
    @click.argument("parcel")
    @click.option(
        "--to", "place", default="", metavar="PLACE", help="Where its specimens are: 'lab 3 / shelf B'."
    )
    @click.option("--condition", default="", help="How they look.")
    @click.option("--note", default="", help="What else there is to say.")
    @PICTURES
    @CATALOGUE
    def tell(
        parcel: str,
        place: str,
        condition: str,
        note: str,
        pictures: tuple[Path, ...],
        catalogue: Path | None,
    ) -> None:
        from tomarium.catalogue.catalogue import open_catalogue
        from tomarium.catalogue.parcels import tell_of_parcel
        from tomarium.catalogue.reader import LOCAL_OWNER

        files = [(picture.name, picture.read_bytes()) for picture in pictures]
        with open_catalogue(catalogue, make=False) as opened:
            parcel_changed = tell_of_parcel(
                opened, LOCAL_OWNER, parcel, state, place=place, condition=condition, note=note, files=files
            )
        _print_parcel(parcel_changed)

    return tell


receive = _add_state_command(
    "receive", "received", "Say that PARCEL arrived, where its specimens are now, and how they look."
)
store = _add_state_command("store", "stored", "Say that the specimens of PARCEL were stored, and where.")
return_ = _add_state_command(
    "return", "returned", "Say that PARCEL was sent back: its specimens are on their way."
)
back = _add_state_command(
    "back", "back", "Say that PARCEL arrived back at its sender, and where its specimens are."
)
cancel = _add_state_command("cancel", "cancelled", "Say that PARCEL is not sent.")


@command.command("list")
@click.option("--state", type=click.Choice(list(STATES)), help="Only those in this state.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@CATALOGUE
def list_(state: str | None, as_json: bool, catalogue: Path | None) -> None:
    """List parcels, those of which something was told last first."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.parcels import parcels_of
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        parcels = parcels_of(connection, LOCAL_OWNER, state=state or "")
    if as_json:
        show.as_json([asdict(parcel) for parcel in parcels])
        return
    show.table(
        [
            (
                parcel.id,
                STATES[parcel.state],
                ", ".join(id for id, _ in parcel.specimens),
                parcel.facts.get("receiver", parcel.receiver),
                parcel.changed[:10],
            )
            for parcel in parcels
        ]
    )


@command.command("show")
@click.argument("parcel")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@CATALOGUE
def show_(parcel: str, as_json: bool, catalogue: Path | None) -> None:
    """Show PARCEL, what is in it, and its history."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.parcels import parcel_of
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        parcel_found = parcel_of(connection, LOCAL_OWNER, parcel)
    if parcel_found is None:
        raise InputError(
            f"there is no parcel {parcel[:80]!r}; see those that are there with: tomarium parcel list"
        )
    if as_json:
        show.as_json(asdict(parcel_found))
        return
    _print_parcel(parcel_found)
    labels = {fact.key: fact.label for fact in FACTS}
    show.table([(labels[key], text.replace("\n", ", ")) for key, text in parcel_found.facts.items()])
    for event in reversed(parcel_found.events):
        click.secho(f"{event.when} {event.who}: {STATES[event.state]}", bold=True)
        if event.note:
            click.echo(event.note)


def _print_parcel(parcel: Parcel) -> None:
    specimens = ", ".join(id for id, _ in parcel.specimens)
    click.echo(f"{parcel.id}: {STATES[parcel.state]}; holds {specimens}")
