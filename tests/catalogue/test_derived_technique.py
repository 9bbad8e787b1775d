"""What a scan's file surely tells of its technique, and where nothing is derived."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tomarium import formats
from tomarium.catalogue import LOCAL_OWNER, open_catalogue
from tomarium.catalogue.derived_technique import technique_of
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.search import search
from tomarium.model import Scan, Value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tooth.h5"
    with h5py.File(path, "w") as file:
        for name, count in (("data", 12), ("data_white", 2), ("data_dark", 2)):
            file[f"exchange/{name}"] = np.full((count, 4, 8), 10 + count, np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 12, endpoint=False)
        file["measurement/instrument/monochromator/energy"] = 20.0
        file["measurement/instrument/monochromator/energy"].attrs["units"] = "keV"
    return path


def opened(path: Path) -> Scan:
    scan = formats.open(path)
    assert isinstance(scan, Scan)
    return scan


def test_what_is_derived(path: Path) -> None:
    scan = opened(path)
    assert technique_of(scan) == (
        "PaNET01207",
        Value(
            "x-ray tomography (PaNET01207)",
            "derived",
            "tooth.h5: 12 projections over 165°, photons of 20 keV",
        ),
    )
    untold = replace(scan, geometry=replace(scan.geometry, energy_kev=None))
    found = technique_of(untold)
    assert found
    assert (found[0], found[1].source.rpartition(", ")[2]) == ("PaNET01129", "the kind of beam is not told")
    for probe, term in (("x-ray", "PaNET01207"), ("neutron", None), ("electron", None)):
        told = replace(untold, metadata=dict(scan.metadata) | {"probe": Value(probe, "read", "a")})
        got = technique_of(told)
        assert (got[0] if got else None) == term, probe


def test_what_did_not_turn_is_none(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["exchange/theta"][...] = np.linspace(0, 5, 12)
    assert technique_of(opened(path)) is None
    with h5py.File(path, "a") as file:
        del file["exchange/theta"]
    assert technique_of(opened(path)) is None  # assumed angles tell nothing


def test_it_is_found_by_it(path: Path, tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        (record,) = file_path(catalogue, path, Wish(tmp_path / "records")).records
        assert record.techniques == ("PaNET01207",)
        assert record.parameters["derived_technique"].origin == "derived"
        assert search(catalogue, LOCAL_OWNER, '"x-ray tomography"').total == 1
