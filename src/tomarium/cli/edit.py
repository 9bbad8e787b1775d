"""`tomarium edit`: change what a record says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("edit")
@click.argument("record", metavar="[RECORD]", required=False)
@click.option("--title", help="One line for people.")
@click.option("--description", help="A paragraph for people; @FILE reads it from a file.")
@click.option(
    "--creator",
    "creators",
    multiple=True,
    help='Who made it; once for each, in the order of the citation: "Lovelace, Ada 0000-0002-1825-0097 @ ESRF '
    '(https://ror.org/02550n020)". All but the name may be left out.',
)
@click.option("--licence", "--license", help="Under which terms it may be used: CC-BY-4.0, CC0-1.0 …")
@click.option("--keyword", "keywords", multiple=True, help="A word to be found by; once for each.")
@click.option(
    "--technique",
    "techniques",
    multiple=True,
    help="A technique of PaNET, by its name or identifier: PaNET01207.",
)
@click.option(
    "--specimen",
    help="The specimen: its identifier in the catalogue (tomarium entity list specimen), or its own, such as a "
    "museum's number or an IGSN.",
)
@click.option("--proposal", help="Identifier of its proposal in the catalogue; '' for none.")
@click.option("--instrument", help="Identifier of its instrument in the catalogue; '' for none.")
@click.option(
    "--funder",
    "funders",
    multiple=True,
    help='Who paid: "European Research Council: 123456"; the ROR id may stand behind the name, the DOI or address of '
    'the grant behind its number: "ERC (https://ror.org/0472cxd90): 101000000 https://doi.org/10.3030/101000000".',
)
@click.option(
    "--related",
    "related",
    multiple=True,
    metavar="RELATION=IDENTIFIER",
    help="Another thing it is related to: IsCitedBy=10.1038/abc, IsDerivedFrom=https://…",
)
@click.option("--acknowledgement", help="What those who use it are asked to write.")
@click.option("--plain-title", help="For the card in plain words: one line. '' empties a field of the card.")
@click.option(
    "--plain-what", help="For the card: what it is, as one tells a child; @FILE reads it from a file."
)
@click.option("--plain-why", help="For the card: why it was scanned; or @FILE.")
@click.option("--plain-look-for", help="For the card: what to look for in it; or @FILE.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter: sample_preparation=ethanol.",
)
@click.option("--withhold", multiple=True, metavar="KEY", help="Take a private parameter out of the record.")
@click.option("--disclose", multiple=True, metavar="KEY", help="Declare a parameter public, or put it back.")
@click.option(
    "--picture", metavar="PATH", help="A picture or document of the record, for the six options below."
)
@click.option("--made-by", "made_by", metavar="NAME", help="Who made the picture.")
@click.option("--holder", metavar="NAME", help="Who holds its rights.")
@click.option("--terms", help="Its licence, or under which terms it was given.")
@click.option("--permission", metavar="TEXT", help="What its holder permitted, in their words.")
@click.option("--permitted-on", "permitted_on", metavar="DAY", help="When: 2026-11-20.")
@click.option("--letter", metavar="TEXT", help="Where the letter lies that says so; it is not published.")
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="A spreadsheet of metadata for many records (CSV, TSV, .xlsx).",
)
@click.option("--overwrite", is_flag=True, help="With --table: set what a record says otherwise.")
@click.option("--dry-run", is_flag=True, help="With --table: only say what would be done.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the record for machines.")
@click.pass_context
def command(
    context: click.Context,
    /,
    record: str | None,
    table: Path | None,
    overwrite: bool,
    dry_run: bool,
    catalogue: Path | str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Change what RECORD says of itself: the identifier of a record in the catalogue, or its folder.

    An option that may be given several times replaces the whole list. Without options the record is shown. Its files
    are not touched; where it was published, the metadata of its DOI are sent anew. A parameter that may tell of a
    person (donor_age_years, contact_email) is kept in the catalogue, for those who keep the record, unless --disclose
    names it.

    With --table a spreadsheet is merged into many records: a column `record` names each, the others are fields and
    parameters ("energy_kev", "Pixel size (um)"). What is empty is filled; what a record says otherwise is listed and
    left, and it leaves with exit code 1, unless --overwrite is given. A column of another name becomes a parameter, and
    is named.

    \b
    tomarium edit tooth-1a2b3c4d --creator "Lovelace, Ada 0000-0002-1825-0097" --licence CC-BY-4.0
    tomarium edit tooth-1a2b3c4d --description @abstract.txt --technique PaNET01207
    tomarium edit tooth-1a2b3c4d --withhold donor_age_years
    tomarium edit tooth-1a2b3c4d --plain-title "A tooth of a cave bear" --plain-look-for "Find the bright enamel."
    tomarium edit tooth-1a2b3c4d --picture photo.jpg --made-by "Meyer, Anna" --holder "Museum of Bears" \\
        --terms CC-BY-4.0 --permitted-on 2026-11-20
    tomarium edit --table beamtime.csv --dry-run
    tomarium edit --table beamtime.xlsx
    """
    if (record is None) == (table is None):
        raise click.UsageError("give either a RECORD or --table FILE")
    if table is not None:
        context.exit(_merge(table, catalogue, overwrite, dry_run))
    assert record is not None
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.completeness import completeness_of
    from tomarium.catalogue.edit import edit, place_for
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.withheld_values import withheld_of

    changes = _read_changes(options)
    with open_catalogue(catalogue, make=False) as opened:
        id = show.record_id(opened, record)
        record_read = (
            show.record(opened, id)
            if not any(options.values()) and "" not in options.values()
            else edit(opened, LOCAL_OWNER, id, changes)
        )
        with opened.reading() as connection:
            withheld = withheld_of(connection, id)
            folder = place_for(connection, LOCAL_OWNER, id)
        complete = completeness_of(record_read, folder).words.removeprefix("complete") or "yes"
    if set_apart := [key for key in changes.parameters if key in withheld]:
        show.warnings([_kept_private(set_apart, id)])
    if as_json:
        from tomarium.standards.record_json import details

        content = {
            "id": record_read.id,
            "title": record_read.title,
            "description": record_read.description,
            "licence": record_read.licence,
        }
        show.as_json(content | {"keywords": list(record_read.keywords)} | details(record_read))
        return
    click.secho(f"{record_read.id}: {record_read.title}", bold=True)
    show.table(
        [*_table_rows(record_read), ("complete", complete), *_value_rows(record_read.parameters, withheld)]
    )


def _kept_private(keys: Sequence[str], id: str) -> str:
    return (
        f"{', '.join(keys)}: may tell of a person, so it is kept in the catalogue and shown only to those who keep the "
        f"record; to declare it public: tomarium edit {id} --disclose {keys[0]}"
    )


def _merge(table: Path, catalogue: Path | str | None, overwrite: bool, dry_run: bool) -> int:
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.edit_table import merge_table
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.errors import InputError

    if not table.is_file():
        raise InputError(f"{table}: is no file; give a table of metadata in CSV, TSV or .xlsx")
    with open_catalogue(catalogue, make=False) as opened:
        merged = merge_table(opened, LOCAL_OWNER, table, overwrite=overwrite, dry_run=dry_run)
    records = len({cell.record for cell in merged.changed})
    click.echo(f"{len(merged.changed)} fields of {records} records {'would be' if dry_run else 'were'} set")
    if merged.conflicts:
        click.secho(f"{len(merged.conflicts)} differ and were {'set' if overwrite else 'left'}:", fg="yellow")
        show.table(
            [("record", "field", "record says", "table says")]
            + [
                (c.record, c.field, show.line(_text_of(c.before))[:60], _text_of(c.wanted)[:60])
                for c in merged.conflicts
            ]
        )
    if merged.private:
        show.warnings([_kept_private(merged.private, "RECORD")])
    show.warnings((*merged.new, *merged.problems))
    return 1 if merged.problems or (merged.conflicts and not overwrite) else 0


def _text_of(value: Any) -> str:
    return (
        "; ".join(getattr(item, "name", str(item)) for item in value)
        if isinstance(value, tuple)
        else str(value)
    )


def _read_changes(values: dict[str, Any]) -> Any:
    from tomarium.catalogue.edit import Changes
    from tomarium.catalogue.field_texts import read_parameter
    from tomarium.model.person import read_person
    from tomarium.model.plain_card import FIELDS as CARD
    from tomarium.model.value import Value
    from tomarium.standards.panet import id_of

    card = {name: _read_text(values[f"plain_{name}"]) for name in CARD if values[f"plain_{name}"] is not None}
    return Changes(
        title=values["title"],
        description=_read_text(values["description"]),
        licence=_licence(values["licence"]),
        specimen=values["specimen"],
        proposal=values["proposal"],
        instrument=values["instrument"],
        acknowledgement=values["acknowledgement"],
        creators=tuple(map(read_person, values["creators"])) or None,
        keywords=tuple(word for word in values["keywords"] if word) if values["keywords"] else None,
        techniques=tuple(map(id_of, values["techniques"])) or None,
        funding=tuple(map(_funding, values["funders"])) or None,
        related=tuple(map(_related, values["related"])) or None,
        withhold=values["withhold"],
        disclose=values["disclose"],
        credits=_credits(values),
        card=card,
        parameters={
            key: Value(value, "user", f"tomarium edit: {text[:200]}")
            for text, (key, value) in (
                (parameter, read_parameter(parameter)) for parameter in values["parameters"]
            )
        },
    )


def _read_text(text: Any) -> Any:
    """Take a text as it stands, or from the file that is named after "@"."""
    if text and text.startswith("@"):
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    return text


def _credits(values: dict[str, Any]) -> Any:
    from tomarium.catalogue.picture_credits import read_credit

    names = {
        "made_by": "creator",
        "holder": "holder",
        "terms": "licence",
        "permission": "text",
        "permitted_on": "date",
        "letter": "document",
    }
    credit = {field: values[option] for option, field in names.items() if values[option]}
    if credit and not values["picture"]:
        raise click.UsageError("say of which file this is told, such as --picture photo.jpg")
    return (read_credit({"path": values["picture"], **credit}),) if values["picture"] else ()


def _licence(text: str | None) -> str | None:
    from tomarium.standards.licences import read_licence

    return read_licence(text) if text else text


def _funding(text: str) -> Any:
    from tomarium.model.publication import read_funding

    return read_funding(text)


def _related(text: str) -> Any:
    from tomarium.model.publication import read_related

    return read_related(text)


def _value_rows(public: Mapping[str, Any], withheld: Mapping[str, Any]) -> list[tuple[str, str]]:
    from tomarium.model import parameter

    return [(key, show.line(parameter.show(key, value.value))[:120]) for key, value in public.items()] + [
        (key, f"{show.line(parameter.show(key, value.value))[:100]} (withheld)")
        for key, value in withheld.items()
    ]


def _table_rows(record: Any) -> list[tuple[str, str]]:
    people = [f"{creator.name}{f' {creator.orcid}' if creator.orcid else ''}" for creator in record.creators]
    publication = record.publication
    rows = [
        ("description", record.description),
        ("creators", ", ".join(people) or "none named"),
        ("licence", record.licence or "none stated"),
        ("keywords", ", ".join(record.keywords)),
        ("techniques", ", ".join(record.techniques)),
        ("specimen", record.specimen),
        *((f"plain {name.replace('_', ' ')}", text) for name, text in record.card.told.items()),
        *(
            (entity.kind, f"{entity.name} ({entity.id})")
            for entity in record.entities
            if entity.id != record.specimen
        ),
        ("related", ", ".join(f"{related.relation} {related.identifier}" for related in record.related)),
        (
            "published",
            f"{publication.published:%Y-%m-%d}, version {publication.version}"
            if publication
            else "no: a draft",
        ),
        ("doi", publication.doi if publication else ""),
    ]
    return [row for row in rows if row[1]]
