"""One record: its label, how to cite it, its slices, parameters, how it was made, its files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from tomarium import units
from tomarium.catalogue.alarms import alarms_of
from tomarium.catalogue.completeness import Completeness, completeness_of
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.record_use import Use, use_of
from tomarium.catalogue.stated_facts import KEY as BEAMTIME
from tomarium.errors import FormatError
from tomarium.model import Person, Record, parameter
from tomarium.model.entity import KINDS, entity_line
from tomarium.model.level import DEFAULT, shown_at
from tomarium.portal.built import built
from tomarium.portal.counting import note_view
from tomarium.portal.levels import LevelLink, level_links, level_of
from tomarium.portal.log_shown import ShownEntry, shown_entries
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.series import words_of
from tomarium.portal.record_facts import Funder, Slip, funders, label_rows, slips, stamp_of
from tomarium.portal.record_levels import for_readers
from tomarium.portal.record_relations import Citing, Relation, ancestor_relations, citing, relations_of
from tomarium.portal.request_context import CurrentRequest, RequestContext, closed, without_content
from tomarium.portal.signposting import record_header
from tomarium.portal.view_of_record import view_of
from tomarium.registry import collect
from tomarium.standards import record_json
from tomarium.standards.citation import acknowledgement_of, cite
from tomarium.standards.schema_org import SCHEMA_ORG
from tomarium.standards.standard import Standard
from tomarium.viewers import slices, worksheet
from tomarium.viewers.viewer import Piece, Viewer
from tomarium.viewers.volume import volume_path

TAKEN: Final = {
    "volume": ("Volume", "Its files; programs open it where it lies"),
    "protocol": ("Protocol", "The steps, to be run again on the raw scan"),
    "provenance": ("Provenance", "What the run did, and with what"),
    "manifest": ("Checksums", "SHA-256 of every file"),
}
"""Role of a file → its label in the menu of downloads, and a line of help."""


@dataclass(frozen=True)
class Shown:
    """What a viewer says.

    Attributes
    ----------
    title : str
        Heading.
    data : Mapping
        For machines.
    html : Markup
        For people.
    """

    title: str
    data: Mapping[str, Any]
    html: Markup = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Export:
    """The record's metadata in a standard.

    Attributes
    ----------
    title, address, media_type : str
        Name of the standard, where it is, and what it is.
    """

    title: str
    address: str
    media_type: str


@dataclass(frozen=True)
class Download:
    """An entry of the menu of downloads.

    Attributes
    ----------
    label, address, size, help : str
        What it is, where it is, how large ("" where that is not known), and a line of help.
    """

    label: str
    address: str
    size: str
    help: str


@dataclass(frozen=True)
class Described:
    """Its specimen, its proposal, its instrument.

    Attributes
    ----------
    words, id, name, address : str
        "Specimen", its identifier, its line, and where its page is.
    """

    words: str
    id: str
    name: str
    address: str


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was filed.

    Attributes
    ----------
    path, problem, found : str
        The file, "" for all of the record; "missing", "changed" or "unreadable"; and the day on which it was found.
    """

    path: str
    problem: str
    found: str


@dataclass(frozen=True)
class RecordPage:
    """Content of a record's page.

    Attributes
    ----------
    title, id, created, description, creators, keywords, licence
        As in `model.Record`; `created` is ISO 8601.
    shape : tuple of int
        Voxels (z, y, x); empty where there is no volume.
    voxel_m : list of float, float or None
        Voxel size in m, (z, y, x) or the same along all axes.
    unit : str
        Of the grey values.
    bytes : int
        Size of all files.
    parameters : Mapping
        Key → `value`, `unit`, `origin`, `source`.
    facts : tuple of tuple of str
        Rows of the label: what people look for first.
    viewers : Mapping of str to Shown
        What each viewer that suits the record says, in the order of the page.
    exports : tuple of Export
        Its metadata in other standards.
    scripts : tuple of str
        Addresses of scripts that enrich the page.
    modules : tuple of str
        Addresses of those that `make web` builds, as far as they are there.
    thumbnail : str
        Address of a small picture, "" where there is none.
    open : bool
        Whether its files may be had.
    closed : str
        Why not, "" where they may.
    people : tuple of Person
        The creators with what is known of them.
    publication : Mapping or None
        As in `model.Record`; None of a draft.
    kind : str
        Of its main part: "volume", "projections", "image" …; "" where it has none.
    state : str
        "draft", "review", "published" or "withdrawn".
    stamp : str
        What its label's stamp says of its files: "open files", "under embargo" …
    citation : str
        How it is cited.
    acknowledgement : str
        What those who use it are asked to write: by itself, its instrument or the catalogue's settings.
    related : tuple of Relation
        Other things it is related to, with addresses where they have one.
    funding : tuple of Funder
        Who paid, with addresses of the funder and the grant.
    cited_by : tuple of Citing
        Publications that used it, the last one first.
    ancestors : tuple of Relation
        The way to it: what it was made of, and what that was made of, the first one in front; words are titles.
    entities : tuple of Described
        Its specimen, proposal and instrument, and what the specimen was made from.
    log : tuple of ShownEntry
        Its log book, where its files are open to the reader.
    mine : bool
        Whether the reader may write into it.
    manage : str
        Address of the page for those who keep it; "" where the reader is none of them.
    completeness : Completeness or None
        What it lacks of what a published record needs or should have; None to who does not keep it.
    series, series_address : str
        "Moment 3 of 12" of a record that is one of a series, and the page of the series where its files are open.
    level, levels : str, tuple of LevelLink
        For whom it is shown, and the switch.
    plain_title : str
        Its title in plain words.
    sizes : str
        Address of the page that draws it beside others at one scale; "" where its size is not known.
    worksheet : str
        Address of its worksheet; "" where none can be made.
    use : Use
        How often it was seen and taken.
    not_as_filed : tuple of Damage
        Files of which the audit found that they are not what was filed, where its files are open to the reader.
    schema_org : Markup
        The record in schema.org's words, for search engines.
    address : str
        Where this page is, with scheme and host.
    downloads : tuple of Download
        Entries of the menu.
    exports_and_json : tuple of Export
        `exports` and the page as JSON.
    slips : tuple of Slip
        What happened to the record, the newest first.
    opens : bool
        Whether the page says how to open the volume.
    provenance_known : bool
        Whether it is told how the record was made.
    reconstructed : bool
        Whether that was by reconstruction.
    """

    title: str
    id: str
    created: str
    description: str
    creators: tuple[str, ...]
    keywords: tuple[str, ...]
    licence: str
    shape: tuple[int, ...]
    voxel_m: Any
    unit: str
    bytes: int
    parameters: Mapping[str, Mapping[str, Any]]
    facts: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    viewers: Mapping[str, Shown]
    exports: tuple[Export, ...]
    scripts: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    modules: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    thumbnail: str
    address: str = field(metadata=FOR_PEOPLE)
    downloads: tuple[Download, ...] = field(metadata=FOR_PEOPLE)
    exports_and_json: tuple[Export, ...] = field(metadata=FOR_PEOPLE)
    slips: tuple[Slip, ...] = field(metadata=FOR_PEOPLE)
    opens: bool = field(metadata=FOR_PEOPLE)
    provenance_known: bool = field(metadata=FOR_PEOPLE)
    reconstructed: bool = field(metadata=FOR_PEOPLE)
    open: bool = True
    closed: str = ""
    people: tuple[Person, ...] = ()
    publication: Mapping[str, Any] | None = None
    kind: str = ""
    state: str = "draft"
    stamp: str = field(default="", metadata=FOR_PEOPLE)
    citation: str = ""
    acknowledgement: str = ""
    related: tuple[Relation, ...] = ()
    funding: tuple[Funder, ...] = ()
    cited_by: tuple[Citing, ...] = ()
    ancestors: tuple[Relation, ...] = ()
    entities: tuple[Described, ...] = ()
    log: tuple[ShownEntry, ...] = ()
    mine: bool = field(default=False, metadata=FOR_PEOPLE)
    manage: str = field(default="", metadata=FOR_PEOPLE)
    completeness: Completeness | None = field(default=None, metadata=FOR_PEOPLE)
    series: str = field(default="", metadata=FOR_PEOPLE)
    series_address: str = field(default="", metadata=FOR_PEOPLE)
    level: str = DEFAULT
    levels: tuple[LevelLink, ...] = field(default=(), metadata=FOR_PEOPLE)
    plain_title: str = ""
    sizes: str = field(default="", metadata=FOR_PEOPLE)
    worksheet: str = field(default="", metadata=FOR_PEOPLE)
    use: Use = field(default_factory=Use)
    not_as_filed: tuple[Damage, ...] = ()
    schema_org: Markup = field(default=Markup(""), metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, id: str) -> RecordPage:
    """Show a record; each viewer reads its own choices, such as the slice z = 120, from the address."""
    record, place = request_context.seen(id)
    note_view(request_context.request, id, place)
    folder = place.folder
    with request_context.catalogue.reading() as connection:
        log_entries = entries_of(connection, request_context.reader, f"records/{id}") if place.open else ()
        log = shown_entries(request_context, connection, log_entries)
        as_files = request_context.request.app.state.as_files  # what is counted here is none of a site's
        damage = alarms_of(connection, id) if place.open else ()
        use = Use() if as_files else use_of(connection, id)[0]
    record = record if place.open else without_content(record)
    level = level_of(request_context.request)
    suitable = [
        viewer
        for viewer in collect("viewers", Viewer).values()
        if viewer.shows(record) and (place.open or viewer.metadata_only) and shown_at(level, viewer.plainest)
    ]
    suitable.sort(key=lambda viewer: viewer.order)
    scripts = dict.fromkeys(viewer.script.name for viewer in suitable if viewer.script)
    modules = filter(None, (built(viewer.built) for viewer in suitable if viewer.built))
    exports = tuple(
        Export(
            standard.title,
            request_context.link("metadata", {"id": id, "standard": standard.name}),
            standard.media_type,
        )
        for standard in collect("standards", Standard).values()
    )
    address = request_context.address("record", {"id": id})
    as_json = Export("JSON", request_context.link("record.json", {"id": id}), "application/json")
    thumbnail = next((e.path for e in record.files if e.path == "previews/thumbnail.png"), None)
    if not place.open:
        thumbnail = None
    page = RecordPage(
        title=record.title,
        id=record.id,
        created=record.created.isoformat(),
        description=record.description,
        creators=tuple(person.name for person in record.creators),
        keywords=record.keywords,
        licence=record.licence,
        shape=tuple(record.volume.get("shape") or ()),
        voxel_m=record.volume.get("voxel_m"),
        unit=str(record.volume.get("unit") or ""),
        bytes=sum(entry.bytes for entry in record.files),
        parameters={
            key: {
                "value": value.value,
                "unit": parameter.unit(key),
                "origin": value.origin,
                "source": value.source,
            }
            for key, value in record.parameters.items()
        },
        facts=label_rows(record, request_context.language),
        viewers={viewer.name: _show(viewer, record, folder, request_context) for viewer in suitable},
        exports=exports,
        scripts=tuple(request_context.link("asset", {"name": name}) for name in scripts),
        modules=tuple(request_context.link("static", {"path": path}) for path in dict.fromkeys(modules)),
        thumbnail=request_context.link("file", {"id": id, "path": thumbnail}) if thumbnail else "",
        address=address,
        downloads=tuple(_downloads(record, request_context)) if place.open else (),
        exports_and_json=(*exports, as_json),
        slips=slips(record, datetime.now(UTC), request_context.language),
        opens=place.open and volume_path(record) is not None,
        provenance_known=bool(record.provenance),
        reconstructed=bool(record.provenance.keys() - {BEAMTIME}) and record.made_by == "reconstruction",
        open=place.open,
        closed="" if place.open else closed(record),
        people=record.creators,
        publication=record_json.details(record).get("publication"),
        kind=record.parts[0].kind if record.parts else "",
        state=place.state,
        stamp=stamp_of(record),
        citation=cite(record, address),
        acknowledgement=acknowledgement_of(record) or request_context.settings["acknowledgement"],
        manage=request_context.link("manage", {"id": id}) if place.mine else "",
        completeness=completeness_of(record, folder, place.state) if place.mine else None,
        entities=tuple(_entities(record, request_context)),
        log=log,
        mine=place.mine,
        series=words_of(record),
        series_address=request_context.link("series", {"id": id})
        if place.open and words_of(record) and volume_path(record) is not None
        else "",
        level=level,
        levels=level_links(request_context),
        plain_title=record.card.title,
        sizes=request_context.link("sizes", query={"records": id})
        if place.open and slices.SLICES.shows(record) and slices.voxel_m(record)
        else "",
        worksheet=request_context.link("worksheet", {"id": id})
        if place.open and worksheet.suits(record)
        else "",
        use=use,
        not_as_filed=tuple(Damage(alarm.path, alarm.problem, _day(alarm.raised_utc)) for alarm in damage),
        related=tuple(relations_of(record, request_context)),
        cited_by=tuple(citing(record, request_context)),
        funding=funders(record),
        ancestors=tuple(ancestor_relations(record, request_context)),
        schema_org=Markup(SCHEMA_ORG.export_from(request_context.settings["name"], record, address))
        if record.publication
        else Markup(""),
    )
    return for_readers(page)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _show(viewer: Viewer, record: Record, folder: Path, request_context: RequestContext) -> Shown:
    try:
        piece = viewer.render(record, view_of(viewer, record, folder, request_context))
    except (FormatError, OSError) as problem:
        # One damaged file must not hide the rest of the record.
        logging.getLogger(__name__).error("record %s, viewer %s: %s", record.id, viewer.name, problem)
        problem_text = "This part of the record is damaged or missing, so it cannot be shown."
        piece = Piece({"problem": problem_text}, Markup('<p class="damaged">{}</p>').format(problem_text))
    return Shown(viewer.title, piece.data, piece.html)


def _entities(record: Record, request_context: RequestContext) -> Iterator[Described]:
    kinds = list(KINDS)
    for entity in sorted(
        record.entities, key=lambda entity: kinds.index(entity.kind)
    ):  # of a kind, they keep their order
        own = entity == record.entity(entity.kind)
        words = entity.kind.capitalize() if own else "Made from"
        yield Described(
            words, entity.id, entity_line(entity), request_context.link(entity.kind, {"id": entity.id})
        )


def _downloads(record: Record, request_context: RequestContext) -> Iterator[Download]:
    """List what a reader may want to take: all, a part of the volume, its files, what made it, and the metadata."""
    ways = request_context.link("download", {"id": record.id})
    if volume_path(record) is not None:
        part = "TIFF, NumPy or OME-Zarr, made on request"
        yield Download("A level, a region or a slice", f"{ways}#some", "", part)
    size = units.show(sum(entry.bytes for entry in record.files), "B", digits=3)
    archive = request_context.link("download.zip", {"id": record.id})
    yield Download("Everything, as ZIP", archive, size, "With its metadata and checksums; can be resumed")
    for entry in sorted(record.files, key=lambda entry: entry.role != "volume"):
        if entry.role not in TAKEN:
            continue
        label, help = TAKEN[entry.role]
        folder = entry.path.endswith("/")
        address = request_context.link(
            "folder" if folder else "file", {"id": record.id, "path": entry.path.rstrip("/")}
        )
        yield Download(label, address, units.show(entry.bytes, "B", digits=3), help)
    if volume_path(record) is not None:
        address = request_context.link("notebook", {"id": record.id})
        yield Download(
            "Notebook, Jupyter", address, "", "fetches a coarse level and shows it; needs Matplotlib"
        )
    yield Download("More ways", f"{ways}#all", "", "By a command, as lists, or opened where it lies")
    for standard in collect("standards", Standard).values():
        address = request_context.link("metadata", {"id": record.id, "standard": standard.name})
        yield Download(f"Metadata, {standard.title}", address, "", "")


RECORD = Page(
    name="record",
    path="/records/{id}",
    json_path="/records/{id}.json",
    template="record.html",
    content=content,
    levels=True,
    links=record_header,
)
