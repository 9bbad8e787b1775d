"""Records of other catalogues, kept here so that one search finds them beside ours.

Each is a row of `harvested`, which tells all that the source told, and, where it is a dataset, a row of the index in
the state "harvested", which `reader.may_find` alone knows. It has no folder, no files and no owner.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from tomarium.catalogue.facets import CATALOGUE
from tomarium.catalogue.harvest_tables import harvest_sources, harvested
from tomarium.catalogue.harvested_twice import choose_shown, other_titles, same_as, same_of
from tomarium.catalogue.index_rows import (
    Entry,
    Telling,
    finite_numbers,
    forget_record,
    forget_shared,
    save_records,
    save_shared,
)
from tomarium.catalogue.naming_lines import write_naming_lines
from tomarium.catalogue.panosc_ranges import SEVERAL, tells_several
from tomarium.catalogue.reader import HARVESTED
from tomarium.catalogue.tables import LIVE
from tomarium.model import parameter
from tomarium.model.wording import brief
from tomarium.standards.panet import label_of
from tomarium.standards.panosc import Shared, keyed, read_shared

DATASET: Final = "dataset"
LARGEST: Final = 1_000_000  # letters of one item
AT_ONCE: Final = 200  # items that are written together
_LONGEST: Final = 200  # letters of a facet's value; longer texts are no names


@dataclass(frozen=True)
class Item:
    """What another catalogue tells of one dataset, document or instrument, by whatever protocol.

    Attributes
    ----------
    identifier : str
        At the source: of OAI-PMH that of the header, of PaNOSC its pid.
    kind : str
        "dataset", which is searched; "document" or "instrument", which the PaNOSC search API gives.
    title, description : str
        For people.
    created : str
        ISO 8601 with a zone, or a date or a year; "" where the source does not tell.
    creators, keywords : tuple of str
        Names, and words to be found by.
    techniques : tuple of str
        PaNET identifiers, or names.
    instrument, facility, licence, doi : str
        "" where the source does not tell.
    address : str
        Of its page at the source, http or https; "" where none is known.
    bytes : int
        Size of its files, 0 where the source does not tell.
    parameters : Mapping of str to JSON value
        With the unit in the key, as in `model.Record`.
    changed : str
        When it was changed at the source, as the source tells it.
    access, opens : str
        "open", "embargoed", "closed" or, where the source does not tell who may have its files, ""; and the day when
        they open, ISO 8601, "" where none is told.
    content : Mapping
        All that the source told, in its own form.
    deleted : bool
        Whether the source says that it is no longer there; then nothing but `kind` and `identifier` is looked at.
    """

    identifier: str
    kind: str = DATASET
    title: str = ""
    description: str = ""
    created: str = ""
    creators: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    instrument: str = ""
    facility: str = ""
    licence: str = ""
    doi: str = ""
    address: str = ""
    bytes: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    changed: str = ""
    access: str = ""
    opens: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True)
class HarvestCounts:
    """What became of items.

    Attributes
    ----------
    added, changed, same, deleted : int
        How many were new, told something else than before, told the same, and were taken away.
    problems : tuple of str
        Items that could not be kept, each with the reason.
    """

    added: int = 0
    changed: int = 0
    same: int = 0
    deleted: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: HarvestCounts) -> HarvestCounts:
        return HarvestCounts(
            self.added + other.added,
            self.changed + other.changed,
            self.same + other.same,
            self.deleted + other.deleted,
            self.problems + other.problems,
        )


@dataclass(frozen=True)
class Harvested:
    """One item as it is kept.

    Attributes
    ----------
    id : str
        In this catalogue.
    item : Item
        What the source told.
    source, source_address, kind : str
        Title and address of the source, and the protocol it was harvested by.
    fetched_utc : float
        Seconds since 1970 when the source told it last.
    checked_utc : float or None
        When the source was read to its end last; None where it never was.
    error : str
        Why the last harvest of the source was not complete; "" where it was.
    """

    id: str
    item: Item
    source: str
    source_address: str
    kind: str
    fetched_utc: float
    checked_utc: float | None
    error: str


def keep(
    connection: Connection, source: int, items: Sequence[Item], moment: float | None = None
) -> HarvestCounts:
    """Keep what a source tells: new items are added, known ones changed, deleted ones taken away.

    Parameters
    ----------
    connection : Connection
        That may write.
    source : int
        Number of the source, whose `listing` all of these are noted to be in.
    items : sequence of Item
        Some hundred; of an identifier that occurs twice the last one counts.
    moment : float, optional
        Seconds since 1970 when they were fetched; now by default.

    Returns
    -------
    HarvestCounts
        Doing it again with the same items changes nothing but when they were fetched.
    """
    known_source = connection.execute(select(harvest_sources).where(harvest_sources.c.number == source)).one()
    fetched = time.time() if moment is None else moment
    fields, problems = _readable(items)
    before = _items_before(connection, source, fields)
    rows: list[dict[str, Any]] = []
    gone: list[str] = []
    same: list[str] = []
    changed = 0
    for (kind, identifier), item in fields.items():
        id = id_of(known_source.kind, known_source.address, kind, identifier)
        old = before.get(id)
        if item.get("deleted"):
            gone += [id] if old is not None else []
        elif old == item:
            same.append(id)
        else:
            changed += old is not None
            row = {"id": id, "source": source, "kind": kind, "identifier": identifier, "item": item}
            row |= {"same": same_of(item), "shown_by": ""}
            rows.append(row | {"fetched_utc": fetched, "listing": known_source.listing})
    before_same = same_as(connection, [row["id"] for row in rows])
    _delete_items(connection, gone)
    no_datasets = [row for row in rows if row["kind"] != DATASET]
    save_shared(connection, [(row["id"], source, _shared(read_item(row["item"]))) for row in no_datasets])
    if rows:
        connection.execute(delete(harvested).where(harvested.c.id.in_([row["id"] for row in rows])))
        connection.execute(insert(harvested), rows)
    twice = _update_shown(connection, before_same | {same_of(item) for item in fields.values()})
    others_of = other_titles(connection, [row["id"] for row in rows])
    save_records(
        connection,
        [
            _entry(id, read_item(row["item"]), source, (known_source.title, *others_of.get(id, ())))
            for row in rows
            if row["kind"] == DATASET and (id := row["id"]) not in twice
        ],
    )
    if same:
        seen = update(harvested).where(harvested.c.id.in_(same))
        connection.execute(seen.values(fetched_utc=fetched, listing=known_source.listing))
    return HarvestCounts(len(rows) - changed, changed, len(same), len(gone), tuple(problems))


def forget_unlisted(connection: Connection, source: int) -> int:
    """Take away what the listing of a source, read to its end, did not have; return how many items that were.

    Parameters
    ----------
    connection : Connection
        That may write.
    source : int
        Number of the source.

    Returns
    -------
    int
        Items that were taken away.
    """
    listing = select(harvest_sources.c.listing).where(harvest_sources.c.number == source).scalar_subquery()
    old = select(harvested.c.id).where(harvested.c.source == source, harvested.c.listing != listing)
    ids = list(connection.execute(old).scalars())
    _delete_items(connection, ids)
    return len(ids)


def forget_all(connection: Connection, source: int) -> int:
    """Take away all that is kept of a source; return how many items that were."""
    ids = list(connection.execute(select(harvested.c.id).where(harvested.c.source == source)).scalars())
    _delete_items(connection, ids)
    return len(ids)


def harvested_item(connection: Connection, id: str) -> Harvested | None:
    """Find what is kept of an item, for anybody: the source tells it to everybody.

    Of one that is not shown, since another source tells more of the same record, that other item is found.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        In this catalogue; any text.

    Returns
    -------
    Harvested or None
        None where there is none.
    """
    of = harvest_sources.c
    shown_by = connection.execute(select(harvested.c.shown_by).where(harvested.c.id == id)).scalar()
    query = (
        select(harvested, of.title, of.address, of.kind.label("protocol"), of.finished_utc, of.error)
        .join(harvest_sources, of.number == harvested.c.source)
        .where(harvested.c.id == (shown_by or id))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    source_fields = (row.title, row.address, row.protocol, row.fetched_utc, row.finished_utc, row.error)
    return Harvested(row.id, read_item(row.item), *source_fields)


def entries_after(connection: Connection, last: str, among: Sequence[str] | None = None) -> list[Entry]:
    """Make again what the index keeps of some hundred items, as a rebuild needs it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    last : str
        Identifier of the item after which they begin; "" for the first.
    among : sequence of str, optional
        Identifiers of which; of all items by default.

    Returns
    -------
    list of Entry
        For `save_records`, in the order of their identifiers; none after the last item.
    """
    query = (
        select(harvested.c.id, harvested.c.item, harvested.c.source, harvest_sources.c.title)
        .join(harvest_sources, harvest_sources.c.number == harvested.c.source)
        .where(harvested.c.kind == DATASET, harvested.c.id > last, harvested.c.shown_by == "")
        .order_by(harvested.c.id)
        .limit(AT_ONCE)
    )
    if among is not None:
        query = query.where(harvested.c.id.in_(among))
    rows = connection.execute(query).all()
    titles = other_titles(connection, [row.id for row in rows])
    return [
        _entry(row.id, read_item(row.item), row.source, (row.title, *titles.get(row.id, ()))) for row in rows
    ]


def others_after(connection: Connection, last: str, among: Sequence[str] | None = None) -> list[Telling]:
    """Tell some hundred documents and instruments again for `save_shared`, as `entries_after` does datasets."""
    of = harvested.c
    query = select(of.id, of.item, of.source).where(of.kind != DATASET, of.id > last).order_by(of.id)
    if among is not None:
        query = query.where(of.id.in_(among))
    rows = connection.execute(query.limit(AT_ONCE))
    return [(row.id, row.source, _shared(read_item(row.item))) for row in rows]


def index_again(connection: Connection) -> None:
    """Write the rows of the index of all that was harvested."""
    last = ""
    while entries := entries_after(connection, last):
        save_records(connection, entries)
        last = entries[-1].row["id"]
    last = ""
    while entities := others_after(connection, last):
        save_shared(connection, entities)
        last = entities[-1][0]


def id_of(protocol: str, address: str, kind: str, identifier: str) -> str:
    """Return the identifier that an item of a source has in this catalogue; it is always the same."""
    text = "\n".join((protocol, address, kind, identifier))
    return f"h-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:20]}"


def read_item(content: Mapping[str, Any]) -> Item:
    """Read an item as it is kept in the table."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
    }
    return Item(**fields)


def read_moment(text: str) -> tuple[str, float] | None:
    """Read a moment as other catalogues tell it.

    Parameters
    ----------
    text : str
        ISO 8601: a time, a date, a month or a year; without a zone it is taken for UTC.

    Returns
    -------
    tuple of str and float, or None
        As a record tells it, no more exactly than it was told; and its beginning in seconds since 1970. None where
        it is none of these.
    """
    parts = text.strip().split("-")
    short = len(parts) <= 2 and all(part.isdecimal() for part in parts) and len(parts[0]) == 4
    try:
        moment = datetime.fromisoformat("-".join((*parts, "01", "01")[:3]) if short else text.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return (text.strip() if short or len(text.strip()) == 10 else moment.isoformat()), seconds


def _readable(items: Sequence[Item]) -> tuple[dict[tuple[str, str], dict[str, Any]], list[str]]:
    """Turn items into what a table of JSON can hold, by kind and identifier; and say which are too large."""
    fields: dict[tuple[str, str], dict[str, Any]] = {}
    problems = []
    for item in items:
        read = {key: value for key, value in _plain(asdict(item)).items() if value or key == "identifier"}
        size = len(json.dumps(read, ensure_ascii=False))
        if size > LARGEST:
            name = brief(item.identifier, 80)
            problems.append(f"{name}: tells {size} letters, more than {LARGEST}; it was left out")
        else:
            fields[read["kind"], read["identifier"]] = read
    return fields, problems


def _plain(value: Any) -> Any:
    """Turn a value into one that a column of JSON holds in every database."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, bool, type(None))) else _plain(str(value))


def _items_before(
    connection: Connection, source: int, fields: Mapping[tuple[str, str], Any]
) -> dict[str, Any]:
    """Find what is known of items: identifier here → what they told."""
    of = harvested.c
    query = select(of.id, of.item).where(of.source == source, of.identifier.in_({key for _, key in fields}))
    return {row.id: row.item for row in connection.execute(query)}


def _delete_items(connection: Connection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        same = same_as(connection, part)
        connection.execute(delete(harvested).where(harvested.c.id.in_(part)))
        forget_shared(connection, part)
        for id in part:
            forget_record(connection, id, LIVE)
        _update_shown(connection, same)


def _update_shown(connection: Connection, same_keys: set[str]) -> set[str]:
    """Show each record once that several sources tell; return the items whose rows of the index are right now."""
    shown, hidden = choose_shown(connection, same_keys)
    for id in hidden:
        forget_record(connection, id, LIVE)
    ids = sorted(shown)
    for start in range(0, len(ids), AT_ONCE):
        save_records(connection, entries_after(connection, "", ids[start : start + AT_ONCE]))
    return shown | hidden


def _entry(id: str, item: Item, source: int, titles: tuple[str, ...]) -> Entry:
    moment = read_moment(item.created)
    created, created_utc = moment or ("", 0.0)  # the oldest of all where it is not known
    row = {
        "id": id,
        "title": brief(" ".join(item.title.split()), 1000) or item.identifier,
        "created": created,
        "created_utc": created_utc,
        "store": 0,  # there is none of this number
        "path": "",
        "bytes": min(max(item.bytes, 0), 2**62),
        "thumbnail": "",
        "shape": [],
        "voxel_m": None,
        "state": HARVESTED,
        "owner": "",
        "team": "",
        "public_from": None,  # so that no condition but `may_find` is met by it
        "open_from": None,
        "doi": "",  # that of a record of ours is found by it
        "licence": item.licence,
    }
    facets, shared = _facets(item, created[:4], titles), _shared(item)
    numbers = finite_numbers(item.parameters)
    for body in (shown.body for shown in shared):  # a range finds whatever a body tells
        numbers = finite_numbers(keyed(body.get("parameters", ()))) | numbers
    if any(tells_several(entity.body.get("parameters", ())) for entity in shared):
        numbers[SEVERAL] = 1.0
    return Entry(row, item.description, _words(item), facets, numbers, shared, source)


def _shared(item: Item) -> tuple[Shared, ...]:
    """Tell an item for the PaNOSC search API: as its source told it, or by its fields where that has other words."""
    model = {DATASET: "Dataset", "document": "Document", "instrument": "Instrument"}[item.kind]
    if item.content.get("pid") == item.identifier:
        entity = read_shared(model, item.content)
    else:
        entity = read_shared(model, {
            "pid": item.doi or item.identifier, "title": item.title, "creationDate": item.created,
            "isPublic": item.access not in ("embargoed", "closed"),
            "size": item.bytes or None, "techniques": [{"pid": id, "name": label_of(id)} for id in item.techniques],
            "parameters": [{"name": key, "value": value} for key, value in item.parameters.items()],
        })  # fmt: skip
    return () if entity is None else (entity,)


def _words(item: Item) -> str:
    shown = [f"{parameter.label(key)} {parameter.show(key, value)}" for key, value in item.parameters.items()]
    techniques = (f"{label_of(id)} {id}" if label_of(id) != id else id for id in item.techniques)
    named = (item.instrument, item.facility, item.doi, item.identifier, item.licence)
    return "\n".join(
        (*write_naming_lines(item.keywords, item.creators), ", ".join(techniques), *named, *shown)
    )


def _facets(item: Item, year: str, sources: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = {("technique", " ".join(id.split())) for id in item.techniques}
    pairs |= {("instrument", item.instrument), ("facility", item.facility), ("licence", item.licence)}
    pairs |= {("year", year), *((CATALOGUE, title) for title in sources)}
    return tuple(sorted((name, value) for name, value in pairs if 0 < len(value) <= _LONGEST))
