"""Converting from format to format and home again gives back the first file, whatever lay between."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from conversion.scan_makers import FRAMES, data_exchange, nxtomo, open_scan, sinograms, tree
from tomarium.conversion.cast import convert_cast
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.errors import InputError
from tomarium.formats.provenance.original import beside
from tomarium.formats.zarr.writer import create
from tomarium.pipeline.resample.cubes import write_cubes

ENDINGS = {"data-exchange": ".h5", "nxtomo": ".nx", "edf": "", "tiff": "", "pyhst-par": ".par"}
CHAINS = [
    (first, *between)
    for first in ("data-exchange", "nxtomo")
    for between in [
        *((one,) for one in ENDINGS),
        *((one, other) for one in ENDINGS for other in ENDINGS if one != other),
    ]
    if first not in between
]


def rich(path: Path) -> Path:
    """A Data Exchange file with flats before and after, beside all else that such a file may hold."""
    data_exchange(path)
    with h5py.File(path, "a") as file:
        del file["exchange/data_white"], file["exchange/data_dark"]
        file["exchange/data_white"] = FRAMES[8:11]
        file["exchange/theta_white"] = np.array([0.0, 0.0, 6.0])
        file["exchange/data_dark"] = FRAMES[11]
    return path


MAKERS = {"data-exchange": rich, "nxtomo": nxtomo}


def follow(folder: Path, start: Path, chain: tuple[str, ...]) -> Path:
    """Convert along a chain, each file in a folder of its own."""
    here = start
    for number, form in enumerate(chain):
        target = folder / str(number) / f"scan{ENDINGS[form]}"
        target.parent.mkdir()
        convert(open_scan(here), target, to=form)
        here = target
    return here


@pytest.mark.parametrize("chain", CHAINS, ids=" ".join)
def test_every_chain_leads_home(tmp_path: Path, chain: tuple[str, ...]) -> None:
    first, *_ = chain
    start = MAKERS[first](tmp_path / f"scan{ENDINGS[first]}")
    end = follow(tmp_path, start, (*chain[1:], first))
    assert tree(end) == tree(start)


@pytest.mark.parametrize("first", MAKERS)
@pytest.mark.parametrize("between", ["edf", "tiff"])
def test_what_is_put_back_still_knows_what_it_was(tmp_path: Path, first: str, between: str) -> None:
    start = MAKERS[first](tmp_path / f"scan{ENDINGS[first]}")
    other = "data-exchange" if first == "nxtomo" else "nxtomo"
    assert tree(follow(tmp_path, start, (other, between, other, first))) == tree(start)


@pytest.mark.parametrize("between", ["edf", "tiff", "pyhst-par"])
def test_sinograms_come_home(tmp_path: Path, between: str) -> None:
    start = sinograms(tmp_path / "a.h5")
    assert tree(follow(tmp_path, start, (between, "data-exchange"))) == tree(start)


@pytest.mark.parametrize("between", ["edf", "tiff"])
def test_integers_that_a_format_on_the_way_would_round_come_home(tmp_path: Path, between: str) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["exchange/data"] = np.full((3, 4, 5), 2**62 + 1, np.int64)
        file["exchange/theta"] = np.arange(3.0)
        file["exchange/data_white"] = np.ones((1, 4, 5), np.float32)
    end = follow(tmp_path, tmp_path / "b.h5", (between, "nxtomo", "data-exchange"))
    assert tree(end) == tree(tmp_path / "b.h5")


def test_what_was_changed_between_is_not_put_back_but_still_kept(tmp_path: Path) -> None:
    start = rich(tmp_path / "scan.h5")
    middle = follow(tmp_path, start, ("edf",))
    info = middle / "scan.info"
    info.write_text(info.read_text().replace("PixelSize", "Old") + "PixelSize=2.5\n")
    done = convert(open_scan(middle), tmp_path / "home.h5", to="data-exchange")
    assert "it was changed since" in done.warnings[0]
    assert open_scan(tmp_path / "home.h5").pixel_m.value == 2.5e-6
    with h5py.File(tmp_path / "home.h5") as file:
        kept = file["tomarium"]
        assert kept.attrs["format"] == "data-exchange"
        assert "changed since" in kept.attrs["stale"]
        assert "oddity" in kept["source/measurement/instrument"]


def test_a_file_that_was_changed_is_kept_with_the_one_it_was_made_from(tmp_path: Path) -> None:
    middle = follow(tmp_path, rich(tmp_path / "scan.h5"), ("nxtomo",))
    with h5py.File(middle, "a") as file:
        file["entry/remark"] = "seen by eye"
    changed = tree(middle)
    convert(open_scan(middle), tmp_path / "edf", to="edf")
    convert(open_scan(tmp_path / "edf"), tmp_path / "home.nx", to="nxtomo")
    assert tree(tmp_path / "home.nx") == changed
    with h5py.File(tmp_path / "home.nx") as file:
        assert "oddity" in file["tomarium/source/measurement/instrument"]


@pytest.mark.parametrize("between", ["edf", "nxtomo"])
def test_the_tree_in_hdf5_shows_the_first_file_after_any_chain(tmp_path: Path, between: str) -> None:
    """Its frames are virtual datasets on those of the file itself."""
    start = rich(tmp_path / "scan.h5")
    end = follow(tmp_path, start, (between, "tiff", "nxtomo"))
    with h5py.File(start) as first, h5py.File(end) as file:
        for name in ("data", "data_white", "data_dark"):
            shown = file[f"tomarium/source/exchange/{name}"]
            assert shown.is_virtual
            np.testing.assert_array_equal(shown[()], first[f"exchange/{name}"][()])


def test_flats_from_elsewhere_are_not_put_back_over(tmp_path: Path) -> None:
    middle = follow(tmp_path, rich(tmp_path / "scan.h5"), ("nxtomo",))
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["exchange/data"] = FRAMES[:2] + 1
    done = convert(open_scan(middle, flats=tmp_path / "flats.h5"), tmp_path / "home.h5")
    assert "flats were given" in done.warnings[0]
    home = open_scan(tmp_path / "home.h5")
    assert home.flats is not None
    np.testing.assert_array_equal(home.flats.frames.read(slice(None), slice(None)), FRAMES[:2] + 1)


def test_the_side_car_beside_holds_no_frames_twice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = np.random.default_rng(1).integers(0, 60000, (50, 200, 200), np.uint16)
        file["exchange/theta"] = np.arange(50.0)
    end = follow(tmp_path, tmp_path / "a.h5", ("edf",))
    assert beside(end).stat().st_size < 100_000
    assert compare(open_scan(tmp_path / "a.h5"), open_scan(end)).same


def test_a_scan_of_usual_size_comes_home(tmp_path: Path) -> None:
    """Above 64 MiB, a dataset that claims what its file does not hold is refused."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("exchange/data", (80, 650, 700), np.uint16, chunks=(1, 650, 700), compression=1)
        file["exchange/data"][::9] = 7
        file["exchange/data"][1::9] = np.arange(700)
        for number in range(80):
            file["exchange/data"][number, 0] = number
        file["exchange/theta"] = np.arange(80.0)
    end = follow(tmp_path, tmp_path / "a.h5", ("edf", "tiff", "nxtomo", "data-exchange"))
    assert tree(end) == tree(tmp_path / "a.h5")


@pytest.mark.parametrize("between", ["edf", "data-exchange"])
def test_frames_of_two_names_are_not_kept_twice(tmp_path: Path, between: str) -> None:
    """NXtomo links its frames into NXdata, which HDF5 lists first."""
    with h5py.File(tmp_path / "a.nx", "w") as file:
        file["entry/definition"] = "NXtomo"
        frames = np.random.default_rng(1).integers(0, 60000, (50, 100, 100), np.uint16)
        file["entry/instrument/detector/data"] = frames
        file["entry/data/data"] = file["entry/instrument/detector/data"]
        file["entry/instrument/detector/image_key"] = np.zeros(50, int)
        file["entry/sample/rotation_angle"] = np.arange(50.0)
    end = follow(tmp_path, tmp_path / "a.nx", (between,))
    kept = beside(end) if between == "edf" else end
    assert kept.stat().st_size < (0 if between == "edf" else frames.nbytes) + 100_000
    assert tree(follow(end.parent, end, ("nxtomo",))) == tree(tmp_path / "a.nx")


def test_labels_stay_labels(tmp_path: Path) -> None:
    labels = np.zeros((96, 70, 66), np.uint16)
    labels[::2, ::2, ::2], labels[1::2] = 7, 300  # what is picked holds 7 alone, a mean would hold neither
    writer = create(
        tmp_path / "labels.zarr",
        (96, 70, 66),
        np.dtype(np.uint16),
        voxel_m=(3e-6, 1e-6, 1e-6),
        slab_rows=64,
        unit="",
        name="labels",
        labels=True,
    )
    writer.write(0, labels[:64])
    writer.write(64, labels[64:])
    writer.finish()
    opened = tm.open(tmp_path / "labels.zarr")
    assert opened.holds_labels
    assert len(opened.levels) > 1
    for name, version in (("copy.zarr", None), ("old.zarr", "ome-zarr-0.4")):
        convert(opened, tmp_path / name, to=version)
        copy = tm.open(tmp_path / name)
        assert copy.holds_labels
        np.testing.assert_array_equal(copy, labels)
        for level, picked in zip(copy.levels[1:], opened.levels[1:], strict=True):
            np.testing.assert_array_equal(level[:], picked[:])
    cubes = tm.open(write_cubes(opened, tmp_path / "cubes.zarr", 1e-6).target)
    assert cubes.holds_labels
    assert set(np.unique(cubes)) == {0, 7, 300}
    with pytest.raises(InputError, match="holds labels"):
        convert_cast(opened, tmp_path / "cast.tif", "uint8")
