"""The tables of the catalogue: an index that is made from the records' folders, and what lives in the database only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tomarium.catalogue.packed_text import PackedText

metadata = MetaData()

# Eight bytes in every database; SQLite numbers its rows itself only where the type is called INTEGER.
Whole: Final = BigInteger().with_variant(Integer(), "sqlite")
# JSON that queries look into.
Body: Final = JSON().with_variant(JSONB(), "postgresql")

SEEN_OF_RECORD: Final = ("public_from", "facets", "state", "owner", "team")
"""Columns that say who may know of a record, and how it is counted."""

# --- Durable: never touched by a rebuild, backed up. -----------------------------------------------------------------

stores: Final = Table(
    "store",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("address", Text, nullable=False, unique=True),  # the folder below which records lie
)

life: Final = Table(
    "life",
    metadata,
    Column("record", Text, primary_key=True),  # identifier of the record
    Column("state", Text, nullable=False),  # draft, review, published, withdrawn
    Column("owner", Text, nullable=False),  # name of an account
    Column("team", Text, nullable=False),  # name of a group, "" for none
    Column("changed_utc", Float, nullable=False),
)

# When that which everybody may know of a published record was last changed, for those who harvest records.
record_changes: Final = Table(
    "record_change",
    metadata,
    Column("record", Text, primary_key=True),
    Column("changed_utc", Float, nullable=False),
    Column("opens_utc", Float),  # when its embargo ends after that; NULL where none does
)
changes_by_moment: Final = Index(
    "record_change_moment", record_changes.c.changed_utc, record_changes.c.record
)
changes_by_opening: Final = Index("record_change_opens", record_changes.c.opens_utc, record_changes.c.record)

withheld: Final = Table(
    "withheld",
    metadata,
    Column("record", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),  # value, origin and source of a private parameter
)

# What came from another catalogue: which of ours it became, what that one told, and what was filed of it. A later
# import of the same tells by it what was changed there, and what somebody changed here.
imported: Final = Table(
    "imported",
    metadata,
    Column("source", Text, primary_key=True),  # icat, scicat, hoa, folder
    Column("kind", Text, primary_key=True),  # record, or the kind of an entity
    Column("key", Text, primary_key=True),  # its identifier there
    Column("id", Text, nullable=False),  # its identifier here
    Column("told", JSON, nullable=False),  # field → what the source told
    Column("filed", JSON, nullable=False),  # field → what stood here after it was filed
    Column("digest", Text, nullable=False),  # SHA-256 of all that the source told, and of what lay at hand
    Column("moment_utc", Float, nullable=False),
)

comments: Final = Table(
    "comment",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("record", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("moment_utc", Float, nullable=False),
    Column("kind", Text, nullable=False),  # comment, request, decision
    Column("text", Text, nullable=False),
)
comments_of_record: Final = Index("comment_record", comments.c.record, comments.c.number)

invitations: Final = Table(
    "invitation",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the link's secret
    Column("record", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_utc", Float, nullable=False),
    Column("until_utc", Float, nullable=False),
)

accounts: Final = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # argon2 hash, "" where there is none
    Column("subject", Text, nullable=False),  # "issuer subject" of OpenID Connect, "" where there is none
    Column("orcid", Text, nullable=False),
    Column("made_utc", Float, nullable=False),
    Column("closed", Whole, nullable=False),
)

teams: Final = Table(
    "team",
    metadata,
    Column("name", Text, primary_key=True),
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
)

account_instruments: Final = Table(
    "account_instrument",
    metadata,
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
    Column("instrument", Text, primary_key=True),  # as records name it
)

account_links: Final = Table(
    "account_link",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the link's secret
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_utc", Float, nullable=False),
    Column("until_utc", Float, nullable=False),
)

quotas: Final = Table(
    "quota",
    metadata,
    Column("kind", Text, primary_key=True),  # owner, team
    Column("name", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

# Of each batch of uploads the bytes that its files have when they are whole.
upload_rooms: Final = Table(
    "upload_room",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("team", Text, nullable=False),  # "" for none
    Column("bytes", BigInteger, nullable=False),
)
upload_rooms_of_owner: Final = Index("upload_room_owner", upload_rooms.c.owner)

tokens: Final = Table(
    "token",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 of the token
    Column("kind", Text, nullable=False),  # token, session
    Column("account", Text, ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # words with spaces between
    Column("made_utc", Float, nullable=False),
    Column("until_utc", Float, nullable=False),
)

failed_sign_ins: Final = Table(
    "failed_sign_in",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("name", Text, nullable=False),  # as it was given, whether there is such an account or not
    Column("address", Text, nullable=False),  # of the machine that asked
    Column("moment_utc", Float, nullable=False),
)
failed_by_moment: Final = Index("failed_sign_in_moment", failed_sign_ins.c.moment_utc)

# What records are of and come from; an identifier is one of all kinds.
entities: Final = Table(
    "entity",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("facts", JSON, nullable=False),  # all of them, the private ones too
    Column("disclosed", JSON, nullable=False),  # keys of private facts that are public
    Column("owner", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("published_utc", Float),  # NULL: not published
    Column("doi", Text, nullable=False),
    Column("changed_utc", Float, nullable=False),
)
by_kind: Final = Index("entity_kind", entities.c.kind, entities.c.name)
origins: Final = Table(
    "entity_origin",
    metadata,
    Column("child", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("parent", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("how", Text, nullable=False),
)
# That specimens are the same samples as some that are described elsewhere; none is deleted, but withdrawn.
same_sample_claims: Final = Table(
    "same_sample_claim",
    metadata,
    Column("specimen", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("target", Text, primary_key=True),  # address of the other: of its page, its DOI or its IGSN
    Column("evidence", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("moment_utc", Float, nullable=False),
    Column("state", Text, nullable=False),  # a key of `model.same_sample.STATES`
    Column("checked_utc", Float),  # NULL: the other side was never asked
    Column("told", Text, nullable=False),  # what it answered
    Column("withdrawn", Text, nullable=False),  # why it does not stand; "" where it does
)
# Which records are of which entities: those that were chosen, and the ancestors of these. Only who may see an
# entity makes such a row, since a record's readers see its entities.
record_entities: Final = Table(
    "record_entity",
    metadata,
    Column("record", Text, primary_key=True),
    Column("entity", Text, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("chosen", Whole, nullable=False),  # 0: an ancestor of what was chosen
)
records_of_entity: Final = Index("record_entity_entity", record_entities.c.entity, record_entities.c.record)
# Records whose crates and index still tell what was taken back of an entity, until a worker has written them anew.
stale_records: Final = Table("stale_record", metadata, Column("record", Text, primary_key=True))
# Where frames of images and specimens lie in each other; each version of a link is a row, and none is changed but for
# being replaced or withdrawn.
frame_links: Final = Table(
    "frame_link",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("from_frame", Text, nullable=False),
    Column("to_frame", Text, nullable=False),
    Column("content", JSON, nullable=False),  # as `specimen.link_file.link_json` tells it
    Column("filed_by", Text, nullable=False),
    Column("filed_utc", Float, nullable=False),
    Column("latest", Whole, nullable=False),  # 0: a later version replaces it
    Column("withdrawn", Text, nullable=False),  # why it is not used; "" where it is
)
link_versions: Final = Index("frame_link_version", frame_links.c.id, frame_links.c.version, unique=True)
links_from: Final = Index("frame_link_from", frame_links.c.from_frame)
links_to: Final = Index("frame_link_to", frame_links.c.to_frame)
settings: Final = Table(
    "setting",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

dois: Final = Table(
    "doi",
    metadata,
    Column("doi", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, findable, failed
    Column("event", Text, nullable=False),  # publish, hide, ""
    Column("tries", Whole, nullable=False),
    Column("next_utc", Float, nullable=False),
    Column("error", Text, nullable=False),
    Column("address", Text, nullable=False),
)

jobs: Final = Table(
    "job",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("state", Text, nullable=False),  # waiting, running, done, failed
    Column("lease_until_utc", Float, nullable=False),
    Column("tries", Whole, nullable=False),
    Column("not_before_utc", Float, nullable=False),
    Column("told", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("made", JSON, nullable=False, server_default="[]"),  # identifiers of records
)
jobs_waiting: Final = Index("job_waiting", jobs.c.state, jobs.c.not_before_utc)

audit: Final = Table(
    "audit",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("moment_utc", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("record", Text, nullable=False),  # "" where it concerns none
    Column("told", JSON, nullable=False),
    Column("chain", Text, nullable=False),  # SHA-256 of the line before and this one
)

saved_views: Final = Table(
    "saved_view",
    metadata,
    Column("token", Text, primary_key=True),
    Column("record", Text, nullable=False),
    Column("state", JSON, nullable=False),  # of Neuroglancer; addresses are without host
    Column("made_by", Text, nullable=False),  # name of an account, "" for a visitor
    Column("made_utc", Float, nullable=False),
)
saved_views_of_record: Final = Index("saved_view_record", saved_views.c.record)

# --- The index: every row is made from a record's folder and its life, and can be made again. ------------------------

# The number of a record follows the moment when it was made (`numbers.number_at`), so that the order of all
# tables below is that of time: the newest first is the order of the numbers backwards, also of a word's hits.


@dataclass(frozen=True)
class IndexTables:
    """The tables that a rebuild makes anew: those that are asked, or those that a rebuild fills beside them.

    Attributes
    ----------
    records, wordings, retired, parameters, totals, shared, shared_links : Table
        As below.
    texts : str
        Name of the text index, which each database makes in its own way.
    """

    records: Table
    wordings: Table
    retired: Table
    parameters: Table
    totals: Table
    shared: Table
    shared_links: Table
    texts: str

    @property
    def all(self) -> tuple[Table, ...]:
        """All but the text index, in the order in which they can be made."""
        indexed = (self.records, self.wordings, self.retired, self.parameters, self.totals)
        return (*indexed, self.shared, self.shared_links)


def index_tables(prefix: str, among: MetaData) -> IndexTables:
    """Describe these tables and their indexes under names with a prefix."""
    records = Table(
        f"{prefix}record",
        among,
        Column("number", Whole, primary_key=True),
        Column("id", Text, nullable=False, unique=True),
        Column("title", Text, nullable=False),
        Column("created", Text, nullable=False),  # as the record says it, with its zone
        Column("created_utc", Float, nullable=False),  # seconds since 1970
        Column("store", Whole, nullable=False),
        Column("path", Text, nullable=False),  # below the store
        Column("bytes", BigInteger, nullable=False),
        Column("thumbnail", Text, nullable=False),  # path below the folder, "" where there is none
        Column("shape", JSON, nullable=False),
        Column("voxel_m", Float),
        # that of `life`; "harvested": another catalogue's, without a store
        Column("state", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("team", Text, nullable=False),
        # seconds since 1970 since when anybody may see its metadata; NULL: not public
        Column("public_from", Float),
        Column("open_from", Float),  # since when anybody may have its files; NULL: not at all
        Column("doi", Text, nullable=False),
        Column("licence", Text, nullable=False),
        Column("facets", Whole, nullable=False),  # number of its set of facets
    )
    of = records.c
    # Most records lie in a folder of their name, which `id` finds: see `index_rows.lies_in`.
    elsewhere = of.path != of.id
    Index(f"{prefix}record_place", of.path, sqlite_where=elsewhere, postgresql_where=elsewhere)
    Index(f"{prefix}record_doi", of.doi)
    # All that counting by facets asks of a record, so that it never reads the rows themselves.
    counted = (of.state, of.public_from, of.owner, of.team)
    _only("sqlite", Index(f"{prefix}record_facets", of.facets, *counted))
    # PostgreSQL has that in the order of time, read beside the hits of a word or a range, too; SQLite's rows are small.
    _only("postgresql", Index(f"{prefix}record_facets", of.facets))
    seen = ("public_from", "state", "owner", "team", "facets")
    _only("postgresql", Index(f"{prefix}record_seen", of.number, postgresql_include=seen))
    # Long texts lie apart: rows of `record` stay small, and many of them are looked at for each that is shown.
    # PostgreSQL has them beside the words of its text index: see `postgresql_texts.py`.
    wordings = Table(
        f"{prefix}wording",
        among,
        Column("record", Whole, ForeignKey(f"{prefix}record.number", ondelete="CASCADE"), primary_key=True),
        Column("description", Text, nullable=False),
        Column("words", PackedText, nullable=False),  # all that is searched besides title and description
        info={"only": "sqlite"},
    )
    # The text index cannot take words out again: a record that changes gets a new number, and its old one, which
    # is never given again, stands here until the next rebuild.
    retired = Table(f"{prefix}retired", among, Column("number", Whole, primary_key=True))
    # Numbers only, in two orders: by record, which is by time, and by size. PostgreSQL has another table of this name:
    # see `postgresql_numbers.py`.
    parameters = Table(
        f"{prefix}parameter",
        among,
        Column("key", Whole, primary_key=True),
        Column("record", Whole, primary_key=True),
        Column("number", Float, nullable=False),  # in the unit that the key tells
        sqlite_with_rowid=False,
        info={"only": "sqlite"},
    )
    Index(f"{prefix}parameter_number", parameters.c.key, parameters.c.number)  # which holds the record, too
    # How many records have each combination of what a search of all records asks of them: see `record_totals.py`.
    totals = Table(
        f"{prefix}record_total",
        among,
        Column("public_from", Float, primary_key=True),  # 0: long ago; `NEVER`: not public
        Column("state", Text, primary_key=True),
        Column("owner", Text, primary_key=True),
        Column("team", Text, primary_key=True),
        Column("facets", Whole, primary_key=True),
        Column("total", Whole, nullable=False),
        sqlite_with_rowid=False,
    )
    # What the PaNOSC search API tells: datasets, documents and instruments, each with what belongs to it alone.
    shared = Table(
        f"{prefix}shared",
        among,
        Column("holder", Text, primary_key=True),  # id of the record, or of the harvested item, that tells it
        Column("model", Text, primary_key=True),  # Dataset, Document, Instrument
        Column("pid", Text, primary_key=True),
        # number of the harvested source; 0: a record of this catalogue
        Column("source", Whole, nullable=False),
        Column("body", Body, nullable=False),  # as `standards.panosc` tells it
    )
    Index(f"{prefix}shared_pid", shared.c.model, shared.c.pid)
    # Which documents and instruments belong to which dataset, within what one catalogue tells.
    shared_links = Table(
        f"{prefix}shared_link",
        among,
        Column("holder", Text, primary_key=True),
        Column("dataset", Text, primary_key=True),
        Column("model", Text, primary_key=True),
        Column("pid", Text, primary_key=True),
        Column("source", Whole, nullable=False),
    )
    Index(f"{prefix}shared_link_dataset", shared_links.c.dataset)
    Index(f"{prefix}shared_link_pid", shared_links.c.model, shared_links.c.pid)
    texts = f"{prefix}record_text"
    return IndexTables(records, wordings, retired, parameters, totals, shared, shared_links, texts)


def _only(dialect: str, index: Index) -> None:
    index.info["only"] = dialect
    index.ddl_if(dialect=dialect)


SHADOW_PREFIX: Final = "new_"
LIVE: Final = index_tables("", metadata)
SHADOW: Final = index_tables(SHADOW_PREFIX, MetaData())
"""What a rebuild fills, and then puts in the place of `LIVE`; a database has these tables only meanwhile."""
records, wordings, retired, parameters, totals, shared, shared_links = LIVE.all
by_facets: Final = next(index for index in records.indexes if len(index.columns) > 1)
by_number: Final = next(iter(parameters.indexes))

# A rebuild that is under way: who does it, and when it was heard of last. What is changed meanwhile is done again in
# the new tables before they are taken.
rebuilds: Final = Table(
    "rebuild",
    metadata,
    Column("token", Text, primary_key=True),
    Column("beat_utc", Float, nullable=False),
)
rebuild_changes: Final = Table("rebuild_change", metadata, Column("record", Text, primary_key=True))

# Many records have the same technique, instrument, licence and year: each such set is kept once.
facet_sets: Final = Table(
    "facet_set",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("content", Text, nullable=False, unique=True),  # JSON: [[name, value], ...]
)
facets: Final = Table(
    "facet",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("facets", Whole, ForeignKey("facet_set.number", ondelete="CASCADE"), primary_key=True),
    sqlite_with_rowid=False,
)

parameter_keys: Final = Table(
    "parameter_key",
    metadata,
    Column("number", Whole, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
)
