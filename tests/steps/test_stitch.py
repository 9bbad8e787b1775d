"""Scans at several heights are as one of a tall detector."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import bodies, projections
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.model import Scan, Value
from tomarium.steps.views.stitch import stitch

VIEWS, HEIGHT, WIDTH, AXIS, EACH = 90, 50, 96, 46.7, 24
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
SPECIMEN = bodies(4, 22)
NAMES = ("a.h5", "b.h5", "c.h5")
LIGHT = np.exp(-(((np.arange(EACH) - 11.5) / 14) ** 2))  # a beam that is bright in the middle of the height


def tall(shift: float = 0.0, sideways: np.ndarray | None = None) -> np.ndarray:
    columns = np.zeros(VIEWS) if sideways is None else sideways
    return projections(SPECIMEN, ANGLES, (HEIGHT, WIDTH), AXIS, columns, np.full(VIEWS, shift))


def counts_of(attenuation: np.ndarray, seed: int, rows: np.ndarray = LIGHT) -> Scan:
    draw = np.random.default_rng(seed)
    light = 40_000 * np.broadcast_to(rows[:, None], (len(rows), WIDTH))
    return scan_of_arrays(
        draw.poisson(light * np.exp(-attenuation) + 100).astype(np.uint16),
        ANGLES,
        flats=draw.poisson(light + 100, (40, *light.shape)).astype(np.uint16),
        darks=np.full((5, *light.shape), 100, np.uint16),
        axis_column=AXIS,
    )


def written(folder: Path, starts: tuple[float, ...], sideways: tuple[np.ndarray, ...] | None = None) -> Scan:
    for k, (name, start) in enumerate(zip(NAMES, starts, strict=True)):
        whole = int(np.floor(start))
        seen = tall(whole - start, None if sideways is None else sideways[k])[:, whole : whole + EACH]
        data_exchange.FORMAT.write(folder / name, counts_of(seen, k))  # type: ignore[misc]
    opened = tm.open(folder / "a.h5", axis_column=AXIS)
    assert isinstance(opened, Scan)
    return opened


def slices(scan: Scan) -> np.ndarray:
    return np.asarray(tm.reconstruct(scan, "steps: [fbp]"))


INSIDE = np.hypot(*(np.mgrid[:WIDTH, :WIDTH] - 47.5)) < 36


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return stitch(written(tmp_path_factory.mktemp("series"), (0.0, 13.0, 26.0)), scans="b.h5, c.h5")


def test_slices_are_those_of_a_tall_detector(made: Scan) -> None:
    assert made.shape == (VIEWS, HEIGHT, WIDTH)
    assert made.domain == "attenuation"
    light = np.interp(np.arange(HEIGHT), np.arange(EACH), LIGHT)
    for start in (13, 26):  # of the scan that sees a row best
        light[start : start + EACH] = np.maximum(light[start : start + EACH], LIGHT)
    truth = tall()
    known = {"axis_column": Value(AXIS, "user", "test")}
    exact = slices(scan_of_arrays(truth, ANGLES, domain="attenuation").with_geometry(**known))
    one = np.asarray(tm.reconstruct(counts_of(truth, 9, light), "steps: [flat_field, fbp]"))
    several = slices(made)
    error, least = (float(np.sqrt(np.mean((v - exact)[:, INSIDE] ** 2))) for v in (several, one))
    assert error < 1.02 * least
    # No step where one scan ends: the mean over a slice changes there as it does in the truth.
    rest = (several - exact)[:, INSIDE].mean(axis=1)
    sigma = float((several - exact)[:, INSIDE].std())
    assert np.abs(np.diff(rest)).max() < 0.1 * sigma


def test_parts_are_as_the_whole(made: Scan) -> None:
    everything = made.projections.read(slice(0, VIEWS), slice(0, HEIGHT))
    some = made.projections.read(np.array([60, 2, 3]), slice(11, 29))
    np.testing.assert_allclose(some, everything[[60, 2, 3], 11:29], atol=1e-6)
    assert np.isfinite(everything).all()
    read, unpacked = made.projections.cost(VIEWS, slice(15, 18))
    assert read > 0
    assert unpacked >= 0


def test_parts_of_a_pixel_and_a_slide_of_the_sample_are_found(tmp_path: Path) -> None:
    turn = np.deg2rad(ANGLES)
    slid = 1.4 * np.cos(turn) - 0.9 * np.sin(turn)
    first = written(tmp_path, (0.0, 12.4, 25.7), (0 * turn, slid, slid))
    made = stitch(first, scans="b.h5, c.h5")
    starts = [piece.start for piece in made.projections.pieces]  # type: ignore[attr-defined]
    np.testing.assert_allclose(starts, [0, 12.4, 25.7], atol=0.15)
    found = made.projections.pieces[1].columns_px  # type: ignore[attr-defined]
    assert np.abs(found - slid).max() < 0.15
    exact = tall()[:, : made.shape[1]]
    error = made.projections.read(slice(0, VIEWS), slice(0, made.shape[1])) - exact
    assert float(np.median(np.abs(error))) < 0.02
    upwards = stitch(tm.open(tmp_path / "b.h5"), scans="a.h5")  # type: ignore[arg-type]
    assert upwards.shape[1] in (36, 37)


def test_it_stands_in_a_command(tmp_path: Path) -> None:
    written(tmp_path, (0.0, 13.0, 26.0))
    words = ["--axis", "46.7", "--pixel", "1 um", "--step", "stitch", "--set", "stitch.scans=b.h5,c.h5"]
    assert execute(["run", str(tmp_path / "a.h5"), *words, "-o", str(tmp_path / "record")]) == 0
    assert tm.open(tmp_path / "record" / "volume.ome.zarr").shape == (HEIGHT, WIDTH, WIDTH)


def test_what_cannot_be_stitched_is_said(tmp_path: Path) -> None:
    first = written(tmp_path, (0.0, 13.0, 26.0))
    with pytest.raises(ParameterError, match="scans is empty"):
        stitch(first)
    with pytest.raises(ParameterError, match="2 numbers for 1"):
        stitch(first, scans="b.h5", starts_px="13,26")
    with pytest.raises(InputError, match="both see 0 rows"):
        stitch(first, scans="b.h5", starts_px="40")
    with pytest.raises(InputError, match="cannot be stitched"):
        stitch(tm.select_views(first, keep="::2"), scans="b.h5")
    with pytest.raises(InputError, match="its angles differ"):
        stitch(first.with_geometry(angles_deg=Value(ANGLES + 1, "user", "test")), scans="b.h5")
