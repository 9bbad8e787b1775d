"""`tomarium specimen label`, `move` and `places`: labels with QR codes, and where specimens are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.catalogue.label_sheet import Label

PICTURES = click.option(
    "--picture",
    "pictures",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A picture of it; may be given again.",
)


@click.command("move")
@click.argument("specimens", metavar="SPECIMEN...", nargs=-1, required=True)
@click.option(
    "--to", "place", default="", metavar="PLACE", help="Where it is now: 'lab 3 / shelf B / box 7'."
)
@click.option("--hand-to", "holder", default="", metavar="NAME", help="Who has it now.")
@click.option("--condition", default="", help="How it looks.")
@click.option("--note", default="", help="What else there is to say.")
@PICTURES
@CATALOGUE
def move(
    specimens: tuple[str, ...],
    place: str,
    holder: str,
    condition: str,
    note: str,
    pictures: tuple[Path, ...],
    catalogue: Path | None,
) -> None:
    """Say where each SPECIMEN is now, who has it, or how it looks; what was said before stays in its history.

    A place is a path of parts with "/" between, from the largest to the smallest. Only who keeps a specimen sees where
    it is.

    \b
    tomarium specimen move rum-7-core --to "lab 3 / shelf B"
    tomarium specimen move rum-7 rum-7-core --hand-to "Ada Lovelace" --condition "box dry" --picture box.jpg
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_events import EventContent, tell_of_specimen

    files = [(picture.name, picture.read_bytes()) for picture in pictures]
    kind = "handed-over" if holder else "moved" if place else "examined"
    with open_catalogue(catalogue, make=False) as opened:
        for id in specimens:
            tracking_note = EventContent(kind, place, holder, condition, note, files)
            event = tell_of_specimen(opened, LOCAL_OWNER, id, tracking_note)
            words = ", ".join(
                filter(None, (event.place, f"with {event.holder}" if event.holder else "", event.condition))
            )
            click.echo(f"{id}: {words}")


@click.command("places")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@CATALOGUE
def where_(as_json: bool, catalogue: Path | None) -> None:
    """List where the specimens are, by places."""
    from dataclasses import asdict

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_events import where_now

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        last_events = where_now(connection, LOCAL_OWNER)
    if as_json:
        show.as_json({id: asdict(specimen_event) for id, specimen_event in last_events.items()})
        return
    rows = [
        (
            f"on its way in {specimen_event.parcel}"
            if specimen_event.on_its_way
            else specimen_event.place or "no place was said",
            id,
            specimen_event.holder,
            specimen_event.when[:10],
        )
        for id, specimen_event in last_events.items()
    ]
    show.table(rows)


@click.command("label")
@click.argument("specimens", metavar="SPECIMEN...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("labels.svg"),
    show_default=True,
    help="File to write: .svg, .png (300 dots an inch), or .pdf, which the Chromium or Chrome of this machine prints. "
    "Further sheets of .svg and .png are labels-2.svg …",
)
@click.option(
    "--size",
    type=click.Choice(["38x21", "70x37", "63x38"]),
    default="38x21",
    show_default=True,
    help="Size of a label in mm: 65 a sheet (L7651), 24 (3474) or 21 (L7160).",
)
@click.option(
    "--skip", type=click.IntRange(0), default=0, help="Labels of the first sheet that are used already."
)
@click.option("--copies", type=click.IntRange(1, 65), default=1, help="Labels of each specimen.")
@click.option(
    "--address", metavar="URL", help="Of the portal to which the codes lead; that of the settings by default."
)
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@CATALOGUE
def label(
    specimens: tuple[str, ...],
    out: Path,
    size: str,
    skip: int,
    copies: int,
    address: str | None,
    overwrite: bool,
    catalogue: Path | None,
) -> None:
    """Draw labels for each SPECIMEN on A4 sheets: a QR code that leads to its page, name, identifier, safety remarks.

    Safety remarks are the fact "hazards" of the specimen; where they do not fit, the label says that there are some.
    Print at 100 %. A phone that reads the code opens the specimen's page, where those who keep it say that it was
    moved, handed over or received.

    \b
    tomarium specimen label rum-7 rum-7-core -o labels.pdf
    tomarium specimen label rum-7 --size 70x37 --skip 5 --copies 2 -o labels.svg
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.label_sheet import SHEETS, Label
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.settings import all_settings

    kind = out.suffix.lower()
    if kind not in (".svg", ".png", ".pdf"):
        raise InputError(f"--out {out}: write a file that ends in .svg, .png or .pdf")
    labels = []
    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        home = (address or all_settings(connection)["address"]).rstrip("/")
        if not home.startswith(("https://", "http://")):
            raise InputError(
                "the codes need the portal's address: give --address https://…, or set it once with: "
                "tomarium settings address https://…"
            )
        for id in specimens:
            entity = demand_entity(connection, LOCAL_OWNER, id).entity
            if entity.kind != "specimen":
                raise InputError(f"{id}: is a {entity.kind}; labels are for specimens")
            hazards = " ".join(str(entity.facts.get("hazards", "")).split())
            labels += [Label(id, entity.name, f"{home}/specimens/{id}", hazards)] * copies
    sheets = -(-(len(labels) + skip) // SHEETS[size].count)
    targets = [out, *(out.with_name(f"{out.stem}-{number}{kind}") for number in range(2, sheets + 1))]
    _save_labels(labels, size, skip, targets if kind != ".pdf" else [out], overwrite)
    click.echo(
        f"{out}: {len(labels)} labels on {sheets} {'sheet' if sheets == 1 else 'sheets'}; print at 100 %"
    )


def _save_labels(labels: list[Label], size: str, skip: int, targets: list[Path], overwrite: bool) -> None:
    import io
    from tempfile import TemporaryDirectory

    from tomarium.atomic_files import write_whole
    from tomarium.beamtime.report_file import print_pdf
    from tomarium.catalogue.label_sheet import SHEETS, label_html, label_pages, label_pictures

    if (existing := [target for target in targets if target.exists()]) and not overwrite:
        raise InputError(
            f"{existing[0]}: is there already; allow to replace it (--overwrite), or give another name"
        )
    sheet, kind = SHEETS[size], targets[0].suffix.lower()
    if kind == ".png":
        for target, picture in zip(targets, label_pictures(labels, sheet, skip), strict=True):
            content = io.BytesIO()
            picture.save(content, "PNG", dpi=(300, 300))
            write_whole(target, content.getvalue())
        return
    pages = label_pages(labels, sheet, skip)
    if kind == ".svg":
        for target, page in zip(targets, pages, strict=True):
            write_whole(target, page.encode())
        return
    with TemporaryDirectory() as folder:
        html = Path(folder) / "labels.html"
        html.write_text(label_html(pages), encoding="utf-8")
        print_pdf(html, targets[0])
