"""Names that are no UTF-8, and attributes that are empty, are read and come through conversions byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.doctor import examine_path
from tomarium.formats.opening.summary import describe
from tomarium.model import Scan

NAME = "Gerät".encode("latin-1")
FRAMES = np.random.default_rng(0).integers(100, 60000, (20, 8, 9), np.uint16)


def group(file: h5py.File) -> None:
    made = h5py.Group(h5py.h5g.create(file.id, NAME))
    made["x"] = 5.0
    file.id.links.create_soft(b"alias", b"/" + NAME + b"/x")


def dataset(file: h5py.File) -> None:
    number = h5py.h5d.create(
        file["exchange"].id, NAME, h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create(h5py.h5s.SCALAR)
    )
    number.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(2.5))


def attribute(file: h5py.File) -> None:
    for owner in (file, file["exchange/data"]):
        made = h5py.h5a.create(owner.id, NAME, h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create(h5py.h5s.SCALAR))
        made.write(np.array(3.0))


def links(file: h5py.File) -> None:
    file.id.links.create_soft(NAME, b"/exchange/data")
    home = file["exchange"]
    home.id.links.create_external(NAME, b"none.h5", b"/exchange/" + NAME)


def empty(file: h5py.File) -> None:
    for owner in (file, file["exchange"], file["exchange/data"], file["exchange/theta"]):
        for name in ("axes", "NX_class", "description", "own"):
            owner.attrs[name] = h5py.Empty("S1")
        owner.attrs["none"] = np.empty((0,), "f8")
        owner.attrs["no text"] = np.empty((0,), h5py.string_dtype())
        owner.attrs["number"] = h5py.Empty("f4")


def told(group: h5py.h5g.GroupID, path: bytes = b"") -> Iterator[tuple[bytes, str]]:
    """All names below a group as bytes, with what they hold."""
    names: list[bytes] = []
    group.links.iterate(names.append)
    for node in [group]:
        yield from attributes(node, path)
    for name in names:
        kind, place = group.links.get_info(name).type, path + b"/" + name
        if kind != h5py.h5l.TYPE_HARD:
            yield place, str(group.links.get_val(name))
            continue
        node = h5py.h5o.open(group, name)
        if isinstance(node, h5py.h5g.GroupID):
            yield from told(node, place)
        else:
            yield place, repr(np.asarray(h5py.Dataset(node)[()]).tolist())
            yield from attributes(node, place)


def attributes(node: h5py.h5g.GroupID | h5py.h5d.DatasetID, path: bytes) -> Iterator[tuple[bytes, str]]:
    for number in range(h5py.h5a.get_num_attrs(node)):
        held = h5py.h5a.open(node, index=number)
        name = held.name if isinstance(held.name, bytes) else held.name.encode()
        yield path + b"@" + name, f"{held.dtype} {held.shape} {held.get_space().get_simple_extent_type()}"


@pytest.mark.parametrize("put", [group, dataset, attribute, links, empty])
def test_a_scan_goes_there_and_back(tmp_path: Path, put: Callable[[h5py.File], None]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = FRAMES
        file["exchange/theta"] = np.arange(20) * 9.0
        put(file)
    scan = tm.open(tmp_path / "a.h5")
    assert isinstance(scan, Scan)
    describe(scan)
    assert not [one for one in examine_path(tmp_path / "a.h5").findings if "damaged" in one.found]
    for between in ("b.nx", "b.tif"):
        convert(scan, tmp_path / between)
        convert(tm.open(tmp_path / between), tmp_path / f"{between}.h5", to="data-exchange")
        with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / f"{between}.h5") as b:
            assert dict(told(a["/"].id)) == dict(told(b["/"].id))


def test_values_below_such_a_name_are_shown(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = FRAMES
        group(file)
    scan = tm.open(tmp_path / "a.h5")
    assert scan.metadata["/Gerät/x"].value == 5.0


def test_frames_below_such_a_name_are_read_and_come_home(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        made = h5py.Group(h5py.h5g.create(file.create_group("entry/instrument").id, NAME))
        made.attrs["NX_class"] = "NXdetector"
        made["data"], made["image_key"] = FRAMES, np.zeros(20, int)
        file["entry/sample/rotation_angle"] = np.arange(20) * 9.0
        file["entry/sample/rotation_angle"].attrs["units"] = "degree"
    scan = tm.open(tmp_path / "a.nx")
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(slice(3, 5), slice(None)), FRAMES[3:5])
    convert(scan, tmp_path / "b.h5")
    convert(tm.open(tmp_path / "b.h5"), tmp_path / "c.nx")
    with h5py.File(tmp_path / "a.nx") as a, h5py.File(tmp_path / "c.nx") as c:
        assert dict(told(a["/"].id)) == dict(told(c["/"].id))
