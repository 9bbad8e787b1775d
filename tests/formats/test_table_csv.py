"""Tables of 1-D data: units, positions and every bit of the numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tomarium as tm
from tomarium.errors import FormatError, InputError
from tomarium.formats.tables.csv_file import Column, Position, Table, read_table, write_table


def test_what_is_written(tmp_path: Path) -> None:
    table = Table(
        (Column("energy", "keV", np.array([7.1, 7.2])), Column("counts", "", np.array([3, 40]))),
        "Fe edge, pellet 2",
        {"tx": Position(12.5, "mm"), "scan": Position("XANES fast")},
    )
    write_table(tmp_path / "t.csv", table)
    assert (tmp_path / "t.csv").read_text() == (
        "# title: Fe edge, pellet 2\n# rows: 2\n# tx: 12.5 mm\n# scan: XANES fast\nenergy [keV],counts\n7.1,3\n7.2,40\n"
    )
    again = read_table(tmp_path / "t.csv")
    assert again.title == table.title
    assert again.positions == table.positions
    assert [(one.name, one.unit, one.values.dtype.name) for one in again.columns] == [
        ("energy", "keV", "float64"),
        ("counts", "", "int64"),
    ]


@given(st.lists(st.floats(), min_size=1, max_size=20), st.text("abcµ°/ ,;\"'", max_size=9))
@settings(max_examples=60)
def test_every_bit_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], unit: str
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    column = Column("a, b", unit.strip(), np.array(values))
    write_table(path, Table((column, Column("n", "", np.arange(len(values))))))
    first, second = read_table(path).columns
    np.testing.assert_array_equal(first.values, values)
    assert [math.copysign(1, a) for a in first.values] == [math.copysign(1, a) for a in values] or any(
        map(math.isnan, values)
    )
    assert (first.name, first.unit) == ("a, b", unit.strip())
    assert second.values.dtype == np.int64


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ((), "these are none"),
        ((Column("a", "", np.ones(2)), Column("b", "", np.ones(3))), r"a \(2,\), b \(3,\)"),
        ((Column("a", "", np.ones((2, 2))),), r"a \(2, 2\)"),
        ((Column("a", "", np.array(["x"])),), "give numbers"),
        ((Column("a[1]", "", np.ones(2)),), "can be no name or unit"),
        ((Column("a", "", np.ones(2)), Column("a", "", np.ones(2))), "names must differ"),
    ],
)
def test_what_is_no_table(columns: tuple[Column, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        write_table(tmp_path / "t.csv", Table(columns))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no names of columns"),
        (b"a,b\n1\n", "row 1 has 1 fields, the names are 2"),
        (b"a\nx\n", "column 'a' holds something else than numbers"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_what_cannot_be_read(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(FormatError, match=reason):
        read_table(tmp_path / "t.csv")


def test_an_empty_field_is_nan(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a [m],b\n1,\n2,3\n")
    first, second = read_table(tmp_path / "t.csv").columns
    assert (first.unit, first.values.tolist()) == ("m", [1, 2])
    assert math.isnan(second.values[0])


def test_a_last_line_without_its_end_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("energy [keV],counts\n7.1,3\n7.2,40\n")
    assert "notes" not in tm.open(path).metadata
    path.write_text("energy [keV],counts\n7.1,3\n7.2,4")
    assert "its last line has no end" in tm.open(path).metadata["notes"][0]


def test_an_underscore_is_no_part_of_a_number(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("energy [keV],counts\n7.1,3\n7_2,40\n")
    with pytest.raises(FormatError, match="underscore"):
        read_table(path)
