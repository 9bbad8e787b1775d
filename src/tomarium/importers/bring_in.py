"""What a source found becomes entities and draft records of the catalogue; doing it again brings them up to date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tomarium.atomic_files import write_whole
from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entities import entity_of, public_entity
from tomarium.catalogue.entity_edit import change_entity, make_entity
from tomarium.catalogue.filing import file_record, id_words
from tomarium.catalogue.imported import Imported, imported_from, keep_imported, own_entity
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.life import NotReady, Request, publish
from tomarium.catalogue.reader import NotAllowed, Reader
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.withheld_values import withhold
from tomarium.errors import DatabaseUnavailable, Interrupted, TomariumError
from tomarium.importers.draft_fields import (
    PARAMETER,
    Conflict,
    as_typed,
    changes_of,
    digest_of,
    entity_fields,
    fields_of_entity,
    fields_of_record,
    merge,
    private_parameters,
    record_fields,
)
from tomarium.importers.found import DraftEntity, DraftRecord, Found
from tomarium.importers.local_files import LocalFile, look_for
from tomarium.importers.original import NAME as ORIGINAL
from tomarium.importers.original import original_text, without_private
from tomarium.importers.place_files import parts_of, place_files
from tomarium.model import Record, Value

Action = Literal["new", "update", "same", "kept"]
Tell = Callable[[str, int, int], object]
_LATER: Final = ("collection", "document")


def _ignore_progress(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Order:
    """How things are brought in.

    Attributes
    ----------
    source : str
        Name of the source, under which identifiers are known.
    records : Path
        Folder in which records are made.
    files : Path or None
        Folder below which the files of the source lie; None where none are looked for.
    copy : bool
        Whether files are copied; otherwise they get a second name, where the disk is the same.
    teams : bool
        Whether records are given to the group that may change them in the source.
    publish_open : bool
        Whether what everybody may see in the source is published.
    dry : bool
        Whether it is only said what would be done.
    """

    source: str
    records: Path
    files: Path | None = None
    copy: bool = False
    teams: bool = False
    publish_open: bool = False
    dry: bool = False


@dataclass(frozen=True)
class Line:
    """What an import did with one entity or record.

    Attributes
    ----------
    kind, key, id, name : str
        What it is, its identifiers there and here, and its name or title.
    action : str
        "new", "update", "same", or "kept": it was published here and is left as it is.
    files : int
        Files of it that are told.
    at_hand : int
        Of these, how many were taken.
    """

    kind: str
    key: str
    id: str
    name: str
    action: Action
    files: int = 0
    at_hand: int = 0


@dataclass
class Outcome:
    """What an import did with all entities and records.

    Attributes
    ----------
    lines : list of Line
        One a thing.
    conflicts : list of Conflict
        What somebody changed here and the source tells otherwise; it was kept.
    problems : list of str
        What could not be done, each with its reason.
    published : list of str
        Identifiers of records that were published.
    made : list of Record
        Records that are new or were changed.
    """

    lines: list[Line] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    made: list[Record] = field(default_factory=list)


def bring_in(
    catalogue: Catalogue, reader: Reader, content: Found, order: Order, tell: Tell = _ignore_progress
) -> Outcome:
    """Bring what a source found into the catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose it becomes, as drafts.
    content : Found
        What the source found.
    order : Order
        How.
    tell : callable
        Told of progress: a word, how much is done, how much there is.

    Returns
    -------
    Outcome
        What became of each thing. What fails is named and the others are brought in; what was stopped is gone on
        with when it is done again.

    Raises
    ------
    DatabaseUnavailable, StorageFull
        Nothing more can be written.
    """
    outcome = Outcome()
    with catalogue.reading() as connection:
        imported_before = imported_from(connection, order.source)
    work = _Import(
        catalogue,
        reader,
        order,
        outcome,
        imported_before,
        {key: imported.id for key, imported in imported_before.items()},
    )
    first = [entity for entity in content.entities if entity.kind not in _LATER]
    last = [entity for entity in content.entities if entity.kind in _LATER]
    steps: list[tuple[Callable[[Any], None], DraftEntity | DraftRecord]] = [
        *((work.entity, draft_entity) for draft_entity in first),
        *((work.record, record) for record in content.records),
        *((work.entity, draft_entity) for draft_entity in last),
    ]
    for done, (step, draft) in enumerate(steps):
        tell("import", done, len(steps))
        try:
            step(draft)
        except (DatabaseUnavailable, Interrupted):
            raise
        except TomariumError as problem:
            outcome.problems.append(f"{draft.key}: {problem}")
    tell("import", len(steps), len(steps))
    return outcome


@dataclass(frozen=True)
class _Import:
    """A running import: catalogue, order, outcome, and what was imported before."""

    catalogue: Catalogue
    reader: Reader
    order: Order
    outcome: Outcome
    known: dict[tuple[str, str], Imported]
    ids: dict[tuple[str, str], str]

    def entity(self, draft: DraftEntity) -> None:
        """Bring in an entity."""
        place = (draft.kind, draft.key)
        before, fields = self.known.get(place), entity_fields(draft, self.ids)
        entity_held = None
        with self.catalogue.reading() as connection:
            id = before.id if before else self._find_same(draft)
            if id:
                entity_held = entity_of(connection, self.reader, id)
        if entity_held is None or not entity_held.mine:
            self._note(draft.kind, draft.key, id or "", fields["name"], "new")
            if self.order.dry:
                self.ids[place] = f"new:{draft.key}"
                return
            facts = as_typed(draft.kind, fields)
            wanted_id = draft.id if draft.id and not id and self._is_free(draft.id) else ""
            new_entity = make_entity(self.catalogue, self.reader, draft.kind, draft.name, facts, wanted_id)
            self._keep_imported(
                draft.kind, draft.key, new_entity.id, fields, fields_of_entity(new_entity), digest_of(fields)
            )
            return
        self.ids[place] = entity_held.entity.id
        fields_here = fields_of_entity(entity_held.entity)
        changes, conflicts = merge(
            entity_held.entity.id,
            fields,
            before.told if before else {},
            before.filed if before else {},
            fields_here,
        )
        self.outcome.conflicts += conflicts
        self._note(
            draft.kind,
            draft.key,
            entity_held.entity.id,
            entity_held.entity.name,
            "update" if changes else "same",
        )
        if self.order.dry:
            return
        entity = entity_held.entity
        if changes:
            facts = as_typed(draft.kind, changes)
            entity = change_entity(self.catalogue, self.reader, entity.id, facts, name=changes.get("name"))
        if changes or before is None or dict(before.told) != fields:
            filed = _fields_filed(fields_of_entity(entity), fields, before, conflicts)
            self._keep_imported(draft.kind, draft.key, entity.id, fields, filed, digest_of(fields))

    def record(self, draft: DraftRecord) -> None:
        """Bring in a record."""
        place = ("record", draft.key)
        before, fields = self.known.get(place), record_fields(draft, self.ids)
        id = before.id if before else _id_of(self.order.source, draft)
        with self.catalogue.reading() as connection:
            filed = queries.place_of(connection, self.reader, id)
            is_others = filed is None and queries.folder_of(connection, id) is not None
        files = [look_for(file, self.order.files) for file in draft.files]
        digest = digest_of(draft.original, fields, [(file.file.name, file.state) for file in files])
        self.ids[place] = id
        if filed is None:
            if is_others:
                raise NotAllowed(
                    f"{id}: is a record that {self.reader.name or 'a visitor'} may not see; ask its owner"
                )
            if not self.order.dry:
                files = self._file_record(draft, id, self.order.records / id, None)
                self._finish(draft, id, fields, digest, before)
            self._note("record", draft.key, id, draft.title, "new", files)
            return
        fields_here = fields_of_record(read_record(filed.folder))
        changes, conflicts = merge(
            id, fields, before.told if before else {}, before.filed if before else {}, fields_here
        )
        self.outcome.conflicts += conflicts
        same = before is not None and before.digest == digest and not changes
        closed = filed.state != "draft" or not filed.mine
        if closed and not same:
            self.outcome.conflicts += [
                Conflict(id, key.removeprefix(PARAMETER), fields_here.get(key), new)
                for key, new in changes.items()
            ]
        action: Action = "same" if same else "kept" if closed else "update"
        if action == "update" and not self.order.dry:
            files = self._file_record(draft, id, filed.folder, read_record(filed.folder))
            self._finish(draft, id, changes, digest, before, fields, conflicts)
        elif action == "same" and not self.order.dry and not closed:
            self._publish(draft, id)
        self._note("record", draft.key, id, fields_here["title"], action, files)

    def _file_record(
        self, draft: DraftRecord, id: str, folder: Path, before: Record | None
    ) -> list[LocalFile]:
        """Make the record's folder, or bring it up to date."""
        laid, states = place_files(draft, folder, self.order.files, copy=self.order.copy, before=before)
        self.outcome.problems += [
            f"{draft.key}: {state.file.name}: {state.state}; it was not taken"
            for state in states
            if state.state not in ("at hand", "not at hand")
        ]
        public, private = without_private(draft.original, draft.private_names, draft.containers)
        write_whole(folder / ORIGINAL, original_text(public))
        hidden = private_parameters(draft)
        public_parameters = {key: value for key, value in draft.parameters.items() if key not in hidden}
        current = before or Record(
            id,
            draft.title or draft.key,
            draft.created or datetime.now(UTC).replace(microsecond=0),
            draft.description,
            draft.creators,
            (*draft.keywords, *laid.keywords),
            draft.licence,
            public_parameters,
        )
        file_record(
            folder,
            id=id,
            title=current.title,
            created=current.created,
            description=current.description,
            creators=current.creators,
            keywords=current.keywords,
            licence=current.licence,
            parameters=dict(current.parameters) | laid.parameters,
            volume=laid.volume,
            provenance={"import": {"source": self.order.source, "key": draft.key}},
            parts=parts_of(draft, laid),
            techniques=() if draft.techniques else laid.techniques,
        )
        ingest(self.catalogue, folder, checksums=False, reader=self.reader)
        withheld = hidden | {
            key: Value(value, "read", f"{self.order.source}: {draft.key}") for key, value in private.items()
        }
        with self.catalogue.writing() as connection:
            withhold(connection, id, withheld)
            note(connection, self.reader, "import", id, source=self.order.source, key=draft.key)
        return states

    def _finish(
        self,
        draft: DraftRecord,
        id: str,
        changes: dict[str, Any],
        digest: str,
        before: Imported | None,
        fields: dict[str, Any] | None = None,
        conflicts: list[Conflict] | None = None,
    ) -> None:
        """Tell what filing alone does not: what it is of, derived from and by; and note it as imported."""
        with self.catalogue.reading() as connection:
            place = queries.place_of(connection, self.reader, id)
        assert place is not None
        fields_here = fields_of_record(read_record(place.folder))
        to_change = {key: new for key, new in changes.items() if fields_here.get(key) != new}
        if fields is None:  # of a new record the file's own values stand, and the words that it gave
            to_change = {
                key: new
                for key, new in to_change.items()
                if key not in fields_here or fields_here[key] in ("", [])
            }
        requested = changes_of(to_change, draft)
        if requested != Changes():
            edit(self.catalogue, self.reader, id, requested)
        if self.order.teams and draft.team:
            self._give_to_team(id, draft.team)
        record = read_record(place.folder)
        all_told = fields if fields is not None else changes
        filed = _fields_filed(fields_of_record(record), all_told, before, conflicts or [])
        self._keep_imported("record", draft.key, id, all_told, filed, digest)
        self.outcome.made.append(record)
        self._publish(draft, id)

    def _give_to_team(self, id: str, team: str) -> None:
        with self.catalogue.writing() as connection:
            life = queries.life_of(connection, id)
            assert life is not None
            queries.save_life(connection, {**life._mapping, "team": team})
            place = queries.place_of(connection, self.reader, id)
        if place is not None:
            ingest(self.catalogue, place.folder, checksums=False, reader=self.reader)

    def _publish(self, draft: DraftRecord, id: str) -> None:
        if not (self.order.publish_open and draft.is_open):
            return
        opens = draft.opens
        later = opens is not None and opens > datetime.now(UTC)
        try:
            publish(self.catalogue, self.reader, id, Request(embargo=f"{opens:%Y-%m-%d}" if later else "0"))
        except NotReady as problem:
            self.outcome.problems.append(str(problem))
        else:
            self.outcome.published.append(id)

    def _find_same(self, draft: DraftEntity) -> str:
        """Find an entity of the user that is the same: by the identifier it should have, or an instrument's name."""
        with self.catalogue.reading() as connection:
            if draft.id:
                entity_held = entity_of(connection, self.reader, draft.id)
                return (
                    draft.id
                    if entity_held and entity_held.mine and entity_held.entity.kind == draft.kind
                    else ""
                )
            if draft.kind != "instrument":
                return ""
            return own_entity(connection, self.reader, draft.kind, " ".join(draft.name.split())) or ""

    def _is_free(self, id: str) -> bool:
        with self.catalogue.reading() as connection:
            return public_entity(connection, id) is None

    def _note(
        self, kind: str, key: str, id: str, name: str, action: Action, files: Sequence[LocalFile] = ()
    ) -> None:
        at_hand = sum(file.state == "at hand" for file in files)
        self.outcome.lines.append(Line(kind, key, id, name, action, len(files), at_hand))

    def _keep_imported(
        self, kind: str, key: str, id: str, fields: dict[str, Any], filed: dict[str, Any], digest: str
    ) -> None:
        self.ids[kind, key] = id
        with self.catalogue.writing() as connection:
            keep_imported(connection, self.order.source, kind, key, Imported(id, fields, filed, digest))


def _fields_filed(
    fields_here: dict[str, Any], fields: dict[str, Any], before: Imported | None, conflicts: list[Conflict]
) -> dict[str, Any]:
    """Return the values here of the fields that the source tells; of one that was changed here, the value as filed."""
    changed = {conflict.field for conflict in conflicts}
    filed_before = before.filed if before else {}
    return {
        key: filed_before.get(key) if key.removeprefix(PARAMETER) in changed else fields_here.get(key)
        for key in fields
    }


def _id_of(source: str, draft: DraftRecord) -> str:
    digest = hashlib.sha256(f"{source}\n{draft.key}".encode()).hexdigest()
    return f"{id_words(draft.title or draft.key)}-{digest[:8]}"
