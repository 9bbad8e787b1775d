"""Parameters of one record for another scan: rescaled to its pixel, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.catalogue.copy_parameters import copy_parameters, find_record
from tomarium.cli import execute
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import to_data
from tomarium.steps.views.bin import bin as binned
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

AXIS = 31.7
PROTOCOL = """\
steps:
- find_axis
- flat_field: {log: false}
- paganin: {length_px: 4, unsharp_coefficient: 0.5}
- minus_log
- double_flat_field: {columns: 5}
- fbp: {region: "12:44,20:40"}
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    config = SimulationConfig(
        columns=64, rows=12, views=60, flats=2, darks=2, subrays=1, axis_column=AXIS, zingers=0, seed=4,
        dead_pixels=0, hot_pixels=0, pixel_m=1e-6,
    )  # fmt: skip
    scan = tm.open(simulate(tmp_path_factory.mktemp("scans") / "first.h5", config))
    assert isinstance(scan, Scan)
    return scan


@pytest.fixture(scope="module")
def second(first: Scan) -> Path:
    """The same, as a camera writes it that bins two by two."""
    half = binned(first, rows=2, columns=2)
    path = first.path.with_name("second.h5")
    data_exchange.FORMAT.write(path, half.with_geometry(axis_column=None))  # type: ignore[misc]
    return path


@pytest.fixture(scope="module")
def record(first: Scan) -> Path:
    home = first.path.parent
    (home / "p.yaml").write_text(PROTOCOL)
    words = [
        "-p",
        str(home / "p.yaml"),
        "--rows",
        "4:8",
        "--axis",
        str(AXIS),
        "-o",
        str(home / "first_record"),
    ]
    assert execute(["run", str(first.path), *words, "--executor", "serial"]) in (0, 1)
    return home / "first_record"


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def given(copied: Any) -> dict[str, Any]:
    return {name: values for step in to_data(copied.protocol)["steps"] for name, values in step.items()}


def test_half_the_pixels_of_twice_the_size(record: Path, second: Path, tmp_path: Path) -> None:
    scan = opened(second)
    copied = copy_parameters(record, scan)
    assert copied.scan.geometry.axis_column is not None
    assert copied.scan.geometry.axis_column.value == pytest.approx((AXIS + 0.5) / 2 - 0.5)
    assert given(copied)["paganin"]["length_px"] == 2
    assert given(copied)["paganin"]["unsharp_sigma_px"] == 1
    assert given(copied)["double_flat_field"] == {"columns": 5}
    assert given(copied)["fbp"]["region"] == "6:22,10:20"
    assert copied.rows == slice(2, 4)
    told = "\n".join(copied.told)
    assert "rotation axis: column 31.70 of first_record becomes 15.60" in told
    assert "double_flat_field.columns" in told
    assert execute(["run", str(second), "--like", str(record), "-o", str(tmp_path / "r")]) in (0, 1)
    provenance = json.loads((tmp_path / "r" / "provenance.json").read_text())
    assert provenance["geometry"]["axis_column"]["source"].startswith("copied: column 31.70 of first_record")
    assert "first_record" in provenance["source"]["metadata"]["parameters_copied"]["value"]
    fine, coarse = (np.asarray(tm.open(one / "volume.ome.zarr")) for one in (record, tmp_path / "r"))
    assert coarse.shape == (2, 16, 10)
    means = fine.reshape(2, 2, 16, 2, 10, 2).mean((1, 3, 5))
    whole = np.asarray(tm.reconstruct(copied.scan, copy_parameters(record, scan, region=False).protocol))
    np.testing.assert_array_equal(coarse, whole[2:4, 6:22, 10:20])
    places = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    alike = [
        np.corrcoef(means.ravel(), whole[2:4, 6 + y : 22 + y, 10 + x : 20 + x].ravel())[0, 1]
        for y, x in places
    ]
    assert places[int(np.argmax(alike))] == (0, 0)  # it shows the same part of the sample
    assert max(alike) > 0.95
    again = ["run", "--again", str(tmp_path / "r"), "-o", str(tmp_path / "again")]
    assert execute(again) in (0, 1)
    np.testing.assert_array_equal(np.asarray(tm.open(tmp_path / "again" / "volume.ome.zarr")), coarse)


def test_binning_by_the_user_takes_part(record: Path, first: Scan) -> None:
    copied = copy_parameters(record, first, binning=2)
    assert copied.scan.geometry.axis_column is not None
    assert copied.scan.geometry.axis_column.value == pytest.approx(AXIS)  # of the frames of the file
    assert given(copied)["paganin"]["length_px"] == 2
    assert given(copied)["fbp"]["region"] == "6:22,10:20"
    assert copied.rows == slice(2, 4)


def test_a_length_found_by_the_run_is_found_again(
    record: Path, first: Scan, second: Path, tmp_path: Path
) -> None:
    provenance = (record / "provenance.json").read_text()
    auto = shutil.copytree(record, tmp_path / "auto")
    (auto / "provenance.json").write_text(provenance.replace('"length_px": 4.0', '"length_px": "auto"'))
    assert '"auto"' in (auto / "provenance.json").read_text()
    for copied in (copy_parameters(auto, opened(second)), copy_parameters(auto, first, binning=2)):
        assert given(copied)["paganin"]["length_px"] == "auto"
        assert given(copied)["paganin"]["unsharp_sigma_px"] == 1
        assert "paganin.length_px: auto, which this scan's run finds itself" in copied.told


def test_alike_scans_take_all_as_it_is(record: Path, first: Scan) -> None:
    copied = copy_parameters(record, first)
    assert given(copied)["fbp"]["region"] == "12:44,20:40"
    assert given(copied)["paganin"]["length_px"] == 4
    assert copied.rows == slice(4, 8)
    assert copied.scan.geometry.axis_column is not None
    assert copied.scan.geometry.axis_column.value == AXIS
    free = copy_parameters(record, first, axis=False, region=False)
    assert free.rows is None
    assert free.scan.geometry.axis_column == first.geometry.axis_column
    assert "region" not in given(free)["fbp"]


def test_other_optics_keep_the_distance_from_the_middle(record: Path, first: Scan) -> None:
    zoomed = first.with_geometry(pixel_m=Value(0.8e-6, "read", "file"))
    copied = copy_parameters(record, zoomed)
    assert copied.scan.geometry.axis_column is not None
    assert copied.scan.geometry.axis_column.value == pytest.approx(31.5 + (AXIS - 31.5) / 0.8)
    assert "at the same distance from the middle" in "\n".join(copied.told)
    far = first.with_geometry(pixel_m=Value(0.25e-6, "read", "file"))
    with pytest.raises(InputError, match="do not lie in this scan"):
        copy_parameters(record, far)


def test_what_cannot_fit_is_refused(record: Path, first: Scan, second: Path, tmp_path: Path) -> None:
    narrow = opened(second)
    shifted = narrow.with_geometry(pixel_m=Value(1e-6, "read", "file"))
    with pytest.raises(
        InputError, match="frames are 64 columns wide, 64 in the pixels of this scan, which has 32"
    ):
        copy_parameters(record, shifted)
    with pytest.raises(MissingData, match="give it with --pixel"):
        copy_parameters(record, narrow.with_geometry(pixel_m=None))
    path = tmp_path / "changed"
    path.mkdir()
    told = json.loads((record / "provenance.json").read_text())
    told["protocol"]["steps"].insert(0, {"stitch": {"scans": "other.h5"}})
    (path / "provenance.json").write_text(json.dumps(told))
    with pytest.raises(ParameterError, match="was made of several scans by stitch"):
        copy_parameters(path, first)
    assert execute(["run", str(first.path), "--like", str(record), "--preset", "phase"]) == 2
    assert execute(["run", str(first.path), "--like", str(tmp_path)]) == 2


def test_copy_parameters_of_a_protocol_txt(record: Path, second: Path, tmp_path: Path) -> None:
    text = tmp_path / "protocol.txt"
    text.write_text("python copy_parameters.py XXX -s first\npython paganin.py XXX -m 3\n")
    assert execute(["run", str(second), "-p", str(text), "-o", str(tmp_path / "r")]) in (0, 1)
    told = json.loads((tmp_path / "r" / "provenance.json").read_text())
    steps = {name: values for step in told["protocol"]["steps"] for name, values in step.items()}
    assert steps["paganin"]["length_px"] == 3  # the file's own word goes before what is copied
    assert told["geometry"]["axis_column"]["value"] == pytest.approx((AXIS + 0.5) / 2 - 0.5)
    with pytest.raises(InputError, match="no record of nobody was found in"):
        find_record("nobody", [tmp_path])
