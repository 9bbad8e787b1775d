"""Refusals name the true reason, and what is text is not read as a number."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert_dataset
from tomarium.conversion.target_format import choose
from tomarium.errors import FormatError, InputError
from tomarium.model import Axis, Image, Scan, Volume

FRAMES = np.random.default_rng(0).integers(0, 9, (5, 4, 6)).astype(np.uint16)


def exchange(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = FRAMES
        file["exchange/theta"] = np.arange(5) * 36.0
    return path


def test_angles_that_are_texts_are_read_as_numbers(tmp_path: Path) -> None:
    path = exchange(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/theta"]
        file["exchange"].create_dataset(
            "theta", data=["0", "10", "20.5", "30", "41"], dtype=h5py.string_dtype()
        )
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    assert scan.angles_deg.value.tolist() == [0.0, 10.0, 20.5, 30.0, 41.0]
    assert any("theta holds texts, which were read as numbers" in said for said in scan.repaired)


def test_angles_that_are_words_are_named(tmp_path: Path) -> None:
    path = exchange(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/theta"]
        file["exchange"].create_dataset("theta", data=["a", "b", "c", "d", "e"], dtype=h5py.string_dtype())
    assert any("theta holds texts such as 'a', no numbers" in said for said in tm.open(path).warnings)


def test_an_empty_text_of_int8_is_no_zero(tmp_path: Path) -> None:
    path = exchange(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["measurement/instrument/monochromator/energy"] = np.zeros(256, np.int8)
        file["measurement/instrument/monochromator/energy"].attrs["units"] = "keV"
        file["measurement/instrument/detector/x_pixel_size"] = np.frombuffer(b"1.5\0\0\0\0\0", np.int8)
        file["measurement/instrument/detector/x_pixel_size"].attrs["units"] = "um"
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    assert scan.energy_kev is None
    assert not any(value.value == 0.0 for name, value in scan.metadata.items() if "energy" in name)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == 1.5e-6


def test_a_packed_dataset_becomes_a_table(tmp_path: Path) -> None:
    values = np.arange(4096.0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("z", data=values, chunks=(512,), **hdf5plugin.Zfp(reversible=True))
    convert_dataset(tmp_path / "a.h5", "/z", tmp_path / "z.csv")
    lines = [line for line in (tmp_path / "z.csv").read_text().splitlines() if line[0].isdigit()]
    assert [float(line.split(",")[1]) for line in lines] == values.tolist()


@pytest.mark.parametrize(("content", "words"), [
    (b"\x93NUMPY\x01\0", r"a NumPy array.*numpy\.load.*scan_of_arrays"),
    (b"\x0e\x03\x13\x01" + bytes(200), "an HDF4 file.*h4toh5"),
])  # fmt: skip
def test_files_of_other_programs_are_named_with_what_to_do(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FormatError, match=words):
        tm.open(tmp_path / "a")


def test_chunks_of_length_zero_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "z.zarr"
    (home / "0").mkdir(parents=True)
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}
    axes = [{"name": name, "type": "space", "unit": "meter"} for name in "zyx"]
    group = {"ome": {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}}
    (home / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": group}))
    array = {
        "zarr_format": 3, "node_type": "array", "shape": [4, 4, 4], "data_type": "uint8", "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 4, 4]}},
        "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes"}], "attributes": {},
    }  # fmt: skip
    (home / "0" / "zarr.json").write_text(json.dumps(array))
    with pytest.raises(FormatError, match="chunks of 0 × 4 × 4 elements, which hold nothing"):
        tm.open(home)[:]


def test_dx_is_data_exchange() -> None:
    assert choose(Path("a.x"), "scan", "dx").name == "data-exchange"


@pytest.mark.parametrize("kind", [Volume, Image])
def test_the_axis_of_what_is_no_scan_is_refused_in_words(kind: type[Image]) -> None:
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    with pytest.raises(InputError, match=f"a scan is wanted.* {kind.__name__} was given"):
        tm.find_axis(kind(np.zeros((4, 5, 6), np.float32), axes))
