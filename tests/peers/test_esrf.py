"""Files that the ESRF's own programs make, and what they make of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, FrameKind, Geometry, Scan, Value, Volume
from tomarium.model.scan import Reference

ALL = slice(None)
# These packages warn of their own and their children's ageing; that is not what is judged here.
pytestmark = pytest.mark.filterwarnings("ignore")


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def our_scan() -> Scan:
    rng = np.random.default_rng(5)
    frames = [ArrayFrames(rng.integers(0, 60000, (count, 20, 30), np.uint16)) for count in (12, 4, 3)]
    told = {name: Value(text, "read", "") for name, text in (("title", "a title"), ("sample_name", "a bone"))}
    return Scan(
        Path("ours"), "ours", "memory", "", "", frames[0],
        flats=Reference(frames[1], np.array([-1.0, -1, 5.5, 12])), darks=Reference(frames[2], np.full(3, -1.0)),
        geometry=Geometry(
            Value(np.linspace(0, 324, 12), "read", ""), pixel_m=Value(0.65e-6, "read", ""),
            energy_kev=Value(20.0, "read", ""), distance_m=Value(0.1, "read", ""),
        ),
        metadata=told,
    )  # fmt: skip


def test_data_exchange_of_nxtomomill_is_read(tmp_path: Path) -> None:
    mocks = pytest.importorskip("nxtomomill.tests.utils.dxfile")
    path = tmp_path / "mock.dx"
    mock = mocks.MockDxFile(str(path), n_projection=10, n_darks=2, n_flats=3, det_height=12, det_width=17)
    scan = opened(path)
    assert scan.format == "data-exchange"
    np.testing.assert_array_equal(scan.projections.read(ALL, ALL), mock.data_proj)
    assert scan.flats is not None
    assert scan.darks is not None
    np.testing.assert_array_equal(scan.flats.frames.read(ALL, ALL), mock.data_flat)
    np.testing.assert_array_equal(scan.darks.frames.read(ALL, ALL), mock.data_dark)
    assert scan.angles_deg.origin == "default"


@pytest.mark.parametrize("half", [False, True])
def test_nxtomo_of_tomoscan_is_read_and_goes_there_and_back(tmp_path: Path, half: bool) -> None:
    mocks = pytest.importorskip("tomoscan.esrf.scan.mock")
    mock = mocks.MockNXtomo(
        str(tmp_path / "mock"), n_proj=20, n_ini_proj=20, n_alignement_proj=2, dim=16, n_flats=3,
        create_final_flat=True, create_ini_dark=True, energy=19.0, distance=0.5, half_acquisition=half, scan_range=360,
        estimated_cor_frm_motor=3.5,
    )  # fmt: skip
    for index, angle in enumerate((180.0, 0.0)):
        mock.add_alignment_radio(index, angle)
    path = Path(mock.scan_master_file)
    scan = opened(path)
    assert scan.format == "nxtomo"
    assert scan.counts[FrameKind.PROJECTION] == 20
    assert scan.counts[FrameKind.ALIGNMENT] == 2
    # The mock writes them without a unit; what its readers would assume is not in the file.
    assert scan.energy_kev is scan.distance_m is None
    assert any("incident_energy was left out: 19 has no unit" in text for text in scan.warnings)
    theirs = pytest.importorskip("tomoscan.esrf").NXtomoScan(str(path), "entry")
    projections = sorted(theirs.projections)
    assert len(projections) == 20
    np.testing.assert_allclose(
        scan.angles_deg.value, [f.rotation_angle for f in theirs.frames if f.image_key.value == 0 and not f.is_control],
        atol=1e-9,
    )  # fmt: skip
    convert(scan, tmp_path / "b.h5")
    again = tmp_path / "again.nx"
    convert(opened(tmp_path / "b.h5"), again)
    assert listing(path) == listing(again)
    assert compare(scan, opened(again)).same


def listing(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        found[name] = sorted((key, str(value)) for key, value in node.attrs.items())
        if isinstance(node, h5py.Dataset):
            value = node[()]
            found[name] += [
                str(node.dtype),
                node.shape,
                value.tobytes() if hasattr(value, "tobytes") else value,
            ]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_ours_is_read_by_nxtomo(tmp_path: Path) -> None:
    application = pytest.importorskip("nxtomo.application.nxtomo")
    scan = our_scan()
    with h5py.File(tmp_path / "x.h5", "w"):
        pass
    tm.formats.formats()["nxtomo"].write(tmp_path / "ours.nx", scan)
    theirs = application.NXtomo().load(str(tmp_path / "ours.nx"), "entry")
    keys = [key.value for key in theirs.instrument.detector.image_key]
    assert (keys.count(0), keys.count(1), keys.count(2)) == (12, 4, 3)
    angles = np.asarray(theirs.sample.rotation_angle.to("degree").magnitude)[np.array(keys) == 0]
    np.testing.assert_array_equal(angles, scan.angles_deg.value)
    assert theirs.instrument.detector.x_pixel_size.to("meter").magnitude == pytest.approx(0.65e-6)
    assert theirs.energy.to("keV").magnitude == pytest.approx(20.0)
    assert theirs.sample.name == "a bone"


def test_ours_is_read_by_tomoscan(tmp_path: Path) -> None:
    esrf = pytest.importorskip("tomoscan.esrf")
    scan = our_scan()
    tm.formats.formats()["nxtomo"].write(tmp_path / "ours.nx", scan)
    theirs = esrf.NXtomoScan(str(tmp_path / "ours.nx"), "entry")
    assert (theirs.dim_1, theirs.dim_2) == (30, 20)
    assert len(theirs.projections) == 12
    assert len(theirs.flats) == 4
    assert len(theirs.darks) == 3
    first = theirs.projections[min(theirs.projections)]
    with h5py.File(first.file_path()) as file:
        frame = file[first.data_path()][first.data_slice()]
    np.testing.assert_array_equal(frame, scan.projections.read(slice(0, 1), ALL)[0])


@pytest.mark.parametrize("column", [0.0, 9.5, 12.25, 19.0, 28.5])
def test_the_axis_is_where_tomoscan_and_nabu_look_for_it(tmp_path: Path, column: float) -> None:
    """They add (columns - 1) / 2 to what tomoscan reads."""
    esrf = pytest.importorskip("tomoscan.esrf")
    scan = our_scan().with_geometry(axis_column=Value(column, "read", ""))
    tm.formats.formats()["nxtomo"].write(tmp_path / "ours.nx", scan)
    theirs = esrf.NXtomoScan(str(tmp_path / "ours.nx"), "entry")
    assert theirs.x_rotation_axis_pixel_position + (theirs.dim_1 - 1) / 2 == column
    ours = opened(tmp_path / "ours.nx").axis_column
    assert ours is not None
    assert ours.value == column


def validated(path: Path) -> str:
    """What nxvalidate says; it always leaves with 0."""
    pytest.importorskip("nexusformat")
    done = subprocess.run(
        [sys.executable, "-c", "from nexusformat.scripts.nxvalidate import main; main()", str(path)],
        capture_output=True, text=True, check=True, timeout=900,
    )  # fmt: skip
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_nxvalidate_finds_nothing_in_ours_with_its_side_car(tmp_path: Path) -> None:
    tm.formats.formats()["data-exchange"].write(tmp_path / "ours.h5", our_scan())
    convert(opened(tmp_path / "ours.h5"), tmp_path / "ours.nxs", to="nxtomo")
    said = validated(tmp_path / "ours.nxs")
    assert "Total number of errors: 0" in said, said
    assert "Total number of warnings: 0" in said, said


def test_nxvalidate_finds_only_the_order_of_axes_in_our_volumes(tmp_path: Path) -> None:
    """NXtomoproc calls them nX, nY, nZ; all programs store z first, and the axes are named."""
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    volume = Volume(np.zeros((3, 4, 5), np.float32), axes, "1/cm", "v")
    tm.formats.formats()["nxtomoproc"].write(tmp_path / "v.nxs", volume)
    said = validated(tmp_path / "v.nxs")
    assert "Total number of errors: 0" in said, said
    assert set(re.findall(r'Values for "(\w+)" are not unique', said)) <= {"nX", "nZ"}
    cube = Volume(np.zeros((4, 4, 4), np.float32), axes, "1/cm", "v")
    tm.formats.formats()["nxtomoproc"].write(tmp_path / "c.nxs", cube)
    assert "Total number of warnings: 0" in validated(tmp_path / "c.nxs")


def test_angles_that_another_converter_replaces_survive_ours(tmp_path: Path) -> None:
    """The guide's theta 0…324° become 0…180° in nxtomomill 2.1.7, which reads none; ours keeps each."""
    theirs = pytest.importorskip("nxtomomill.converter.dxfile.dxfileconverter")
    scan = our_scan()
    source = tmp_path / "ours.h5"
    tm.formats.formats()["data-exchange"].write(source, scan)
    convert(opened(source), tmp_path / "ours.nx")
    np.testing.assert_array_equal(opened(tmp_path / "ours.nx").angles_deg.value, np.linspace(0, 324, 12))
    theirs.from_dx_to_nx(str(source), str(tmp_path / "theirs.nx"))
    found = compare(opened(source), opened(tmp_path / "theirs.nx"), pixels=False)
    angles = next(one for one in found.findings if one.what == "angles_deg")
    assert not angles.same
    assert angles.other == [0.0, 180.0]
