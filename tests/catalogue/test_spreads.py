"""How numbers of what is found are spread: each bar counts what its range finds, for whoever asks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postgresql_server import Files
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Page, Reader, open_catalogue, queries, search
from tomarium.catalogue.index_rows import save_records
from tomarium.catalogue.ingest import entry_of
from tomarium.catalogue.parted_column import column_of
from tomarium.catalogue.ranges import read_range
from tomarium.catalogue.spreads import MOST_BARS, edges_of
from tomarium.model import Record, Value
from tomarium.model.publication import Publication

START = datetime(2020, 1, 1, tzinfo=UTC)
ANN = Reader("ann", "member")


def made(number: int) -> Record:
    draw = random.Random(number)
    return Record(
        id=f"r{number}",
        title=draw.choice(("bone", "tooth")),
        created=START + timedelta(days=number),
        parameters={
            "pixel_m": Value(draw.choice((0.1e-6, 0.5e-6, 0.65e-6, 1e-6, 3e-6, 20e-6)), "read", ""),
            "instrument": Value(draw.choice(("ID16", "ID19")), "read", ""),
            **({"energy_kev": Value(float(draw.randrange(10, 60)), "read", "")} if number % 3 else {}),
        },
        publication=Publication(START, "", START) if number % 4 else None,
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path_factory.mktemp("spreads") / "c.sqlite")) as opened:
        with opened.writing() as connection:
            entries = [
                entry_of(connection, made(number), Path("/nowhere") / str(number), ANN)
                for number in range(60)
            ]
            save_records(connection, entries)
        yield opened


@pytest.mark.parametrize(
    ("reader", "asked"),
    [
        (Reader(), {}),
        (ANN, {}),
        (Reader(), {"words": "bone", "filters": {"instrument": "ID19"}}),
        (LOCAL_OWNER, {"filters": {"state": "draft"}, "ranges": {"energy": "20..50 keV"}}),
        (Reader(invited=("r0", "r4")), {"ranges": {"pixel_m": "<1um"}}),
        (Reader("eve", "instrument scientist", instruments=("ID19",)), {"filters": {"access": "open"}}),
    ],
)
def test_a_bar_counts_what_its_range_finds(
    catalogue: Catalogue, reader: Reader, asked: dict[str, object]
) -> None:
    page = search(catalogue, reader, facets=True, spread=True, **asked)  # type: ignore[arg-type]
    assert {spread.name for spread in page.spreads} == {"pixel", "energy"}
    for spread in page.spreads:
        assert spread.logarithmic == (spread.name == "pixel")
        assert not spread.of_newest
        ranges: dict[str, object] = dict(asked.get("ranges") or {})  # type: ignore[call-overload]
        others = {name: text for name, text in ranges.items() if name not in (spread.name, spread.key)}
        for bar in spread.bars:
            narrowed = asked | {"ranges": others | {spread.name: bar.range}}
            assert search(catalogue, reader, **narrowed).total == bar.count, bar  # type: ignore[arg-type]
        without = asked | {"ranges": others | {spread.name: ">0m" if spread.name == "pixel" else ">0 keV"}}
        found: Page = search(catalogue, reader, **without)  # type: ignore[arg-type]
        assert sum(bar.count for bar in spread.bars) == found.total > 0


def test_what_a_reader_may_not_see_is_in_no_bar(catalogue: Catalogue) -> None:
    counts = [
        sum(bar.count for bar in search(catalogue, reader, facets=True, spread=True).spreads[0].bars)
        for reader in (Reader(), ANN)
    ]
    assert counts == [45, 60]


def test_only_the_newest_are_counted_where_more_are_found(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "RANKED_AT_MOST", 20)
    page = search(catalogue, LOCAL_OWNER, ranges={"pixel": ">0um"}, facets=True, spread=True)
    told = {spread.name: spread for spread in page.spreads}
    # Without its own range nothing but facets is asked of the pixel, so all are counted; of the energy the newest.
    assert not told["pixel"].of_newest
    assert told["energy"].of_newest
    assert sum(bar.count for bar in told["energy"].bars) == sum(number % 3 > 0 for number in range(40, 60))


def test_one_number_has_no_spread(catalogue: Catalogue) -> None:
    assert search(catalogue, LOCAL_OWNER, "unicorn", facets=True, spread=True).spreads == ()
    page = search(catalogue, LOCAL_OWNER, filters={"year": "1999"}, facets=True, spread=True)
    assert page.spreads == ()
    assert search(catalogue, LOCAL_OWNER, facets=True).spreads == ()


NUMBERS = st.floats(1e-12, 1e6) | st.sampled_from((1e-6, 0.5e-6, 0.65e-6, 1.0, 20.0))


@pytest.mark.parametrize("key", ["pixel_m", "energy_kev", "projections", "angle_step_deg"])
@settings(max_examples=150, deadline=None)
@given(first=NUMBERS, second=NUMBERS, sign=st.sampled_from((1.0, 1.0, -1.0)))
def test_edges_are_few_and_around_all_numbers(key: str, first: float, second: float, sign: float) -> None:
    low, high = sorted((sign * first, second))
    edges = edges_of(key, low, high)
    if low == high:
        assert edges is None
        return
    if edges is None:  # numbers that differ by nearly nothing
        assert high - low <= 1e-9 * max(abs(low), abs(high))
        return
    assert edges.numbers[0] <= low < edges.numbers[1]
    assert edges.numbers[-2] <= high < edges.numbers[-1]
    assert 2 <= len(edges.numbers) <= MOST_BARS + 1
    assert (np.diff(edges.numbers) > 0).all()
    assert edges.logarithmic == (low > 0 and high >= 10 * low)
    for bar, lower, upper in zip(
        edges.spread(key, [1] * (len(edges.numbers) - 1), of_newest=False).bars,
        edges.numbers[:-1],
        edges.numbers[1:],
        strict=True,
    ):
        asked = read_range(key, bar.range)
        assert (asked.low, asked.high, asked.with_low, asked.with_high) == (lower, upper, True, False)


def test_edges_are_short_numbers() -> None:
    edges = edges_of("pixel_m", 0.65e-6, 12e-6)
    assert edges is not None
    assert (edges.texts, edges.unit) == (("0.5", "0.7", "1", "1.5", "2", "3", "5", "7", "10", "15"), " um")
    edges = edges_of("energy_kev", 17.0, 34.9)
    assert edges is not None
    assert (edges.texts[0], edges.texts[1], edges.texts[-1], edges.unit) == ("16", "18", "36", " keV")


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(
        st.sampled_from((1.0, 2.0, 5.0, 7.5)) | st.floats(0.0, 100.0) | st.just(np.nan), min_size=1
    ),
    rows=st.data(),
    edges=st.lists(st.integers(0, 100), min_size=2, max_size=11, unique=True).map(sorted),
)
def test_numbers_in_memory_are_counted_between_edges(
    numbers: list[float], rows: st.DataObject, edges: list[int]
) -> None:
    column = column_of(np.array(numbers))
    some = np.array(sorted(rows.draw(st.sets(st.integers(0, len(numbers) - 1)))), np.int64)
    values = np.array(numbers)[some]
    values = values[~np.isnan(values)]
    assert column.of_rows(some).extent == ((values.min(), values.max()) if len(values) else None)
    wanted = [int(((values >= low) & (values < high)).sum()) for low, high in itertools.pairwise(edges)]
    assert column.of_rows(some).counted(np.array(edges, float)).tolist() == wanted
