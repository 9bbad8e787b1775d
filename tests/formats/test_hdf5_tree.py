"""A copied tree says what the first one says: references of every kind, odd types, orders, long attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tomarium.errors import FormatError
from tomarium.formats.hdf5.copy_tree import copy_tree

REGION = h5py.regionref_dtype
PAIR = np.dtype([("number", "i4"), ("where", h5py.ref_dtype)])


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[h5py.File, h5py.File]]:
    """Give a file to copy from, and one to copy to in which every object lies elsewhere."""
    with (
        h5py.File(tmp_path / "one.h5", "w", libver="latest") as one,
        h5py.File(tmp_path / "other.h5", "w", libver=("earliest", "latest")) as other,
    ):
        other["in the way"] = np.arange(1000.0)
        one["row"] = np.arange(10.0)
        yield one, other.create_group("copy")


def chosen(node: Any, reference: Any) -> tuple[str, Any]:
    region = h5py.h5r.get_region(reference, node.file.id)
    return node.file[reference].name, region.get_select_bounds()


def test_region_references_point_to_the_copies(files: tuple[h5py.File, h5py.Group]) -> None:
    one, copy = files
    region = one["row"].regionref[2:5]
    one.attrs.create("one", region, dtype=REGION)
    one.create_dataset("many", data=np.array([region, h5py.RegionReference()], dtype=REGION), dtype=REGION)
    copy_tree(one, copy)
    assert chosen(copy, copy.attrs["one"]) == ("/copy/row", ((2,), (4,)))
    first, nothing = copy["many"][()]
    assert chosen(copy, first) == ("/copy/row", ((2,), (4,)))
    assert not nothing


def test_references_within_compounds_point_to_the_copies(files: tuple[h5py.File, h5py.Group]) -> None:
    one, copy = files
    one.attrs["pair"] = np.array([(1, one["row"].ref)], dtype=PAIR)
    one["pairs"] = np.array([(1, one["row"].ref), (2, h5py.Reference())], dtype=PAIR)
    copy_tree(one, copy)
    assert copy.file[copy.attrs["pair"][0]["where"]].name == "/copy/row"
    pairs = copy["pairs"][()]
    assert pairs["number"].tolist() == [1, 2]
    assert copy.file[pairs[0]["where"]].name == "/copy/row"
    assert not pairs[1]["where"]


@pytest.mark.parametrize("kind", ["STD_B16LE", "UNIX_D32LE", "STD_I32BE", "IEEE_F16LE"])
def test_types_numpy_has_no_word_for_keep_their_bytes(files: tuple[h5py.File, h5py.Group], kind: str) -> None:
    one, copy = files
    stored = getattr(h5py.h5t, kind)
    raw = np.frombuffer(bytes(range(3 * stored.get_size())), f"V{stored.get_size()}")
    space = h5py.h5s.create_simple((3,))
    h5py.h5a.create(one.id, b"odd", stored, space).write(raw, mtype=stored)
    h5py.h5d.create(one.id, b"set", stored, space).write(h5py.h5s.ALL, h5py.h5s.ALL, raw, mtype=stored)
    copy_tree(one, copy)
    held, there = h5py.h5a.open(copy.id, b"odd"), copy["set"].id
    assert held.get_type() == there.get_type() == stored
    for read in (
        lambda into: held.read(into, mtype=stored),
        lambda into: there.read(h5py.h5s.ALL, h5py.h5s.ALL, into, mtype=stored),
    ):
        back = np.empty(3, raw.dtype)
        read(back)
        assert back.tobytes() == raw.tobytes()


def test_attributes_longer_than_a_message_are_kept(files: tuple[h5py.File, h5py.Group]) -> None:
    one, copy = files
    one.create_group("group").attrs["long"] = np.arange(100_000)
    one["row"].attrs["long"] = np.arange(100_000)
    copy_tree(one, copy)
    for name in ("group", "row"):
        assert np.array_equal(copy[name].attrs["long"], np.arange(100_000))


def test_an_attribute_that_finds_no_place_is_named(files: tuple[h5py.File, h5py.Group]) -> None:
    one, copy = files
    one.attrs["long"] = np.arange(100_000)
    with pytest.raises(FormatError, match="attribute long of / is of 800000 bytes"):
        copy_tree(one, copy)


def test_the_order_of_names_is_kept(files: tuple[h5py.File, h5py.Group]) -> None:
    one, copy = files
    ordered = one.create_group("ordered", track_order=True)
    for name in "zyxab":
        ordered[name] = ordered.attrs[name] = 1
    copy_tree(one, copy)
    # Again, since what HDF5 tells of a group that was copied is not fit to make a third one with.
    copy_tree(copy, again := copy.file.create_group("again"))
    assert list(copy["ordered"]) == list(again["ordered"]) == list("zyxab")
    assert list(again["ordered"].attrs) == list("zyxab")


def test_virtual_datasets_find_their_files_from_another_folder(tmp_path: Path) -> None:
    for folder in ("here", "there/deep"):
        (tmp_path / folder).mkdir(parents=True)
    with h5py.File(tmp_path / "here" / "raw.h5", "w") as file:
        file["raw"] = np.arange(5.0)
    with h5py.File(tmp_path / "here" / "a.h5", "w") as one:
        one["own"] = np.arange(3.0)
        layout = h5py.VirtualLayout((9,), "f8")
        layout[:5] = h5py.VirtualSource("raw.h5", "raw", (5,))
        layout[5:8] = h5py.VirtualSource(".", "own", (3,))
        one.create_virtual_dataset("all", layout, fillvalue=-1.0)
        with h5py.File(tmp_path / "there" / "deep" / "b.h5", "w") as copy:
            copy_tree(one, copy)
    with h5py.File(tmp_path / "there" / "deep" / "b.h5") as copy:
        assert copy["all"].is_virtual
        assert copy["all"][()].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, -1]
