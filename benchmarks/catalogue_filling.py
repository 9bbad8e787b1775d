"""Datasets drawn by a seed, written into an empty catalogue in bulk; what was stopped goes on where it was.

The first 50 000 are drawn and filed as `index rebuild` files records. More are copies of these at later dates, 50 000
in a transaction: rows are copied in the database, and SQLite's text index, which keeps no text that could be copied, is
given the words again. How quick filing is, is told by fewer that are filed in the same way into an empty catalogue.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter, process_time

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue import Catalogue
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.index_rows import Entry, in_bulk, save_records
from tomarium.catalogue.numbers import SLOTS
from tomarium.catalogue.record_totals import count_anew
from tomarium.catalogue.tables import LIVE, records, settings, wordings
from tomarium.catalogue.words import fold
from tomarium.model import parameter

SUBJECTS = (
    *("bone", "tooth", "shell", "fossil", "rock", "wood", "seed", "leaf"),
    *("foam", "alloy", "battery", "catalyst", "paper", "brain", "lung", "heart"),
)
HOW = (
    *("fresh", "fixed", "dried", "frozen", "stained", "sectioned", "polished"),
    *("burnt", "loaded", "heated", "cooled", "soaked", "embedded", "cut"),
)
NAMES = [
    f"{first}{second}"
    for first in ("ka", "lo", "mi", "re", "su", "to")
    for second in ("rin", "vel", "mas", "dor")
]
TECHNIQUES = [f"PaNET{number:05d}" for number in (*range(1150, 1156), *range(1203, 1209))]
LICENCES = ("CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0", "")
PARAMETERS = {  # label, numeric key, lowest and highest
    "Pixel size at the sample": ("pixel_m", 5e-8, 5e-5),
    "Photon energy": ("energy_kev", 5.0, 120.0),
    "Distance from sample to detector": ("distance_m", 0.01, 13.0),
    "Exposure time": ("exposure_s", 1e-3, 5.0),
    "Ring current": ("ring_current_ma", 20.0, 200.0),
    "Magnification": ("magnification", 1.0, 50.0),
    "Projections": ("projections", 300.0, 20000.0),
    "Flat fields": ("flats", 10.0, 200.0),
    "Dark fields": ("darks", 10.0, 200.0),
    "Detector rows": ("rows", 256.0, 4096.0),
    "Detector columns": ("columns", 256.0, 4096.0),
    "Rotation axis": ("axis_column", 128.0, 2048.0),
    "Angle step": ("angle_step_deg", 0.01, 1.0),
    "Ratio δ/β": ("delta_beta", 1.0, 3000.0),
    "Temperature": ("temperature_celsius", -100.0, 1500.0),
    "Load": ("load_n", 0.0, 1000.0),
    "Humidity": ("humidity_percent", 0.0, 100.0),
    "Undulator gap": ("gap_m", 0.005, 0.1),
}
OWNER = "somebody else"
YEARS_S = 380_000_000  # from the oldest to the newest
POSTGRESQL_INDEXES = {  # made at once at the end, as `index rebuild` and a restored dump make them
    "record_text_words": "record_text_brief USING gin (record_text_words(number))",
    "record_text_facets": "record_text_brief (facets)",
    "parameter_number": "parameter USING gin (parameter_codes(keys, numbers))",
}
DRAWN = 50_000  # datasets; more are copies of these
FILED = 20_000  # by which the rate of filing is told
AT_ONCE = 2000  # that are filed by one call


def entries(drawn: int, count: int, seed: int = 1) -> Iterator[Entry]:
    """Draw datasets: 18 numbers and 7 texts of each, over twelve years."""
    draw = random.Random(seed)
    numbers = np.random.default_rng(seed)
    lows = np.array([low for _, low, _ in PARAMETERS.values()])
    spans = np.array([high - low for _, low, high in PARAMETERS.values()])
    for start in range(0, drawn, 1000):
        block = lows + spans * numbers.random((min(1000, drawn - start), len(PARAMETERS))) ** 2
        for row in range(len(block)):
            yield _entry(start + row, count, [float(f"{value:.4g}") for value in block[row]], draw)


def _entry(number: int, count: int, values: Sequence[float], draw: random.Random) -> Entry:
    instrument = f"ID{int(47 * draw.random() ** 2):02d}"
    technique, licence = draw.choice(TECHNIQUES), draw.choice(LICENCES)
    subject, how, who = draw.choice(SUBJECTS), draw.choice(HOW), draw.choice(NAMES)
    common = "tomography " if draw.random() < 1 / 3 else ""
    created_utc = 1_400_000_000 + YEARS_S * number / count
    year = draw.randrange(2014, 2027)
    mine = draw.random() < 0.75
    shown = [
        f"{label} {parameter.show(key, value)}"
        for (label, (key, _, _)), value in zip(PARAMETERS.items(), values, strict=True)
    ]
    texts = [
        f"Sample {who}-{number % 9973}", f"Experimenter {draw.choice(NAMES)} {who}", f"Instrument {instrument}",
        f"Proposal ma-{number // 250}", f"Detector pco.{draw.choice(('edge', 'dimax'))}", "Scintillator LuAG",
        "Facility ESRF",
    ]  # fmt: skip
    row = {
        "id": f"{subject}-{number:07d}",
        "title": f"{how} {subject} of {who}, scan {number % 40}",
        "created": f"{year}-01-01T00:00:00+00:00",
        "created_utc": created_utc,
        "store": 1,
        "path": f"{subject}-{number:07d}",
        "bytes": 5_900_000_000,
        "thumbnail": "previews/thumbnail.png",
        "shape": [2048, 2048, 2048],
        "voxel_m": values[0],
        "state": "published" if mine else "draft",
        "owner": OWNER,
        "team": "",
        "public_from": created_utc if mine else None,
        "open_from": created_utc if mine else None,
        "doi": f"10.5072/{number:07d}" if mine else "",
        "licence": licence,
    }
    facets = {
        ("instrument", instrument),
        ("technique", technique),
        ("licence", licence),
        ("year", str(year)),
        ("facility", "ESRF"),
    }
    return Entry(
        row,
        description=f"Reconstructed volume of 2048 × 2048 × 2048 voxels; {common}{subject}, {how}, by {who}.",
        words="\n".join([f"{subject}, {how}", who, licence, *texts, *shown]),
        facets=tuple(sorted(one for one in facets if one[1])),
        numbers={key: value for (key, _, _), value in zip(PARAMETERS.values(), values, strict=True)},
    )


def measure_filing(catalogue: Catalogue, servers_s: Callable[[], float]) -> dict[str, float]:
    """File datasets in one transaction into an empty catalogue; tell how many, and how many in a second."""
    drawn = list(entries(FILED, FILED))
    spent, busy, of_server = perf_counter(), process_time(), servers_s()
    with catalogue.writing() as connection:
        _file(connection, drawn)
    spent, busy = perf_counter() - spent, process_time() - busy
    return {
        "datasets": len(drawn),
        "in a second": len(drawn) / spent,
        "in a second of tomarium's processor time": len(drawn) / busy,
        "in a second of all processor time": len(drawn) / (busy + servers_s() - of_server),
    }


def fill(catalogue: Catalogue, count: int, tell: Callable[[str], None]) -> float:
    """Write the datasets that are missing; tell the seconds that it took."""
    begun, is_new = perf_counter(), _written(catalogue) == 0
    blocks, sqlite = -(-count // DRAWN), catalogue.engine.dialect.name == "sqlite"
    drawn = list(entries(min(count, DRAWN), count)) if sqlite or not _written(catalogue) else []
    texts = [
        tuple(" ".join(fold(text)) for text in (entry.row["title"], entry.words, entry.description))
        for entry in (drawn if sqlite else ())
    ]
    while (block := _written(catalogue)) < blocks:
        with catalogue.writing() as connection:
            if block == 0:
                _file(connection, drawn)
            else:
                if block == 1:
                    _drop_indexes(connection)
                _copy(connection, texts, block, min(DRAWN, count - block * DRAWN), YEARS_S * DRAWN // count)
            _note(connection, block + 1)
        tell(f"{min(count, (block + 1) * DRAWN):,} of {count:,} datasets")
    if blocks > 1 and _written(catalogue) == blocks:
        with catalogue.writing() as connection:
            _make_indexes(connection)
            count_anew(connection, LIVE)
            _note(connection, blocks + 1)
        tell("indexes made")
    if not sqlite and (is_new or blocks > 1):
        with catalogue.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.rollback()
            driver.autocommit = True
            driver.execute("VACUUM ANALYZE")
            connection.invalidate()
        tell("vacuumed")
    return perf_counter() - begun


def _written(catalogue: Catalogue) -> int:
    """Tell how many blocks an earlier call has written."""
    with catalogue.reading() as connection:
        kept = connection.execute(select(settings.c.value).where(settings.c.key == "benchmark"))
        return int(kept.scalar_one_or_none() or 0)


def _note(connection: Connection, blocks: int) -> None:
    connection.execute(delete(settings).where(settings.c.key == "benchmark"))
    connection.execute(insert(settings).values(key="benchmark", value=str(blocks)))


def _file(connection: Connection, drawn: Sequence[Entry]) -> None:
    with in_bulk(connection):
        for start in range(0, len(drawn), AT_ONCE):
            save_records(connection, drawn[start : start + AT_ONCE])


def _drop_indexes(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        dialect_of(connection).begin_bulk(connection)
        return
    for name in POSTGRESQL_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX {name}")


def _make_indexes(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        dialect_of(connection).end_bulk(connection)
        return
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
    for name, told in POSTGRESQL_INDEXES.items():
        connection.exec_driver_sql(f"CREATE INDEX {name} ON {told}")
    connection.exec_driver_sql("REINDEX TABLE record")


def _copy(
    connection: Connection, texts: Sequence[tuple[str, ...]], copy: int, rows: int, span_s: int
) -> None:
    """Write the first datasets once more, each a span later."""
    numbers = (
        connection.execute(select(records.c.number).order_by(records.c.number).limit(rows)).scalars().all()
    )
    span, shift, last = copy * span_s, copy * span_s * SLOTS, numbers[-1]
    columns = {
        "number": f"number + {shift}",
        "id": f"id || '-{copy}'",
        "created_utc": f"created_utc + {span}",
    }
    columns["path"] = f"path || '-{copy}'"
    names = [column.name for column in records.c]
    values = [columns.get(name, name) for name in names]
    _run(connection, "record", names, values, f"number <= {last}")
    if connection.dialect.name == "postgresql":
        _run(connection, "parameter", ["record", "keys", "numbers"], [f"record + {shift}", "keys", "numbers"],
             f"record <= {last}")  # fmt: skip
        names = ["number", "title", "keywords", "rest", "whole", "wording"]
        _run(connection, "record_text", names, [f"number + {shift}", *names[1:]], f"number <= {last}")
        names = ["number", "public_from", "facets", "whole", "state", "owner", "team"]
        _run(connection, "record_text_brief", names, [f"number + {shift}", *names[1:]], f"number <= {last}")
        return
    names = [column.name for column in wordings.c]
    _run(connection, "wording", names, [f"record + {shift}", *names[1:]], f"record <= {last}")
    _run(connection, "parameter", ["key", "record", "number"], ["key", f"record + {shift}", "number"],
         f"key IN (SELECT number FROM parameter_key) AND record <= {last}")  # fmt: skip
    named = [dict(zip(("title", "keywords", "rest"), text, strict=True)) for text in texts]
    rows_of_text = [row | {"number": number + shift} for number, row in zip(numbers, named, strict=False)]
    dialect_of(connection).save_texts(connection, rows_of_text)


def _run(connection: Connection, table: str, names: list[str], values: list[str], which: str) -> None:
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table} WHERE {which} "
        f"ORDER BY {', '.join(name for name in names if name in ('key', 'record', 'number'))}"
    )
