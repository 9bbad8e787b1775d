"""Scans beside and above each other are as one of a large detector."""

import json
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import bodies, projections
from tomarium.catalogue.make_record import again_of
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.model import Scan, Value
from tomarium.pipeline.run.provenance import fingerprint
from tomarium.steps.views.mosaic import mosaic

VIEWS, HEIGHT, WIDTH, AXIS, ROWS, COLUMNS = 60, 46, 96, 46.7, 28, 58
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
SPECIMEN = bodies(4, 22)
NAMES = ("a.h5", "b.h5", "c.h5", "d.h5")
EXACT = ((0, 0), (0, 38), (18, 0), (18, 38))
LIGHT = np.exp(-(((np.arange(COLUMNS) - 28.5) / 40) ** 2))  # a beam that is bright in the middle


def whole(down: float = 0.0, across: float = 0.0) -> np.ndarray:
    """Projections of one large detector, its content moved."""
    return projections(SPECIMEN, ANGLES, (HEIGHT, WIDTH), AXIS, np.full(VIEWS, across), np.full(VIEWS, down))


def counts_of(attenuation: np.ndarray, seed: int) -> Scan:
    draw = np.random.default_rng(seed)
    light = 60_000 * np.broadcast_to(LIGHT, attenuation.shape[1:])
    return scan_of_arrays(
        draw.poisson(light * np.exp(-attenuation) + 100).astype(np.uint16),
        ANGLES,
        flats=draw.poisson(light + 100, (40, *light.shape)).astype(np.uint16),
        darks=np.full((5, *light.shape), 100, np.uint16),
        axis_column=AXIS,
    )


def written(folder: Path, places: tuple[tuple[float, float], ...]) -> Scan:
    for k, (name, (row, column)) in enumerate(zip(NAMES, places, strict=False)):
        down, across = int(np.floor(row)), int(np.floor(column))
        seen = whole(down - row, across - column)[:, down : down + ROWS, across : across + COLUMNS]
        data_exchange.FORMAT.write(folder / name, counts_of(seen, k))  # type: ignore[misc]
    opened = tm.open(folder / "a.h5", axis_column=AXIS)
    assert isinstance(opened, Scan)
    return opened


def starts(made: Scan) -> np.ndarray:
    tiles = made.projections.tiles  # type: ignore[attr-defined]
    return np.array([(tile.piece.start, tile.column) for tile in tiles])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return written(tmp_path_factory.mktemp("raster"), EXACT)


@pytest.fixture(scope="module")
def made(first: Scan) -> Scan:
    return mosaic(first, scans="b.h5, c.h5, d.h5", places_px="2:35, 16:-3, 21:40")


def test_motors_that_are_wrong_by_three_pixels_are_put_right(made: Scan) -> None:
    np.testing.assert_allclose(starts(made), EXACT, atol=0.05)
    assert made.shape == (VIEWS, HEIGHT, WIDTH)
    assert made.domain == "attenuation"
    assert made.axis_column is not None
    assert made.axis_column.value == pytest.approx(AXIS)
    assert made.warnings == ()


def test_slices_are_those_of_a_large_detector(made: Scan) -> None:
    def slices(scan: Scan) -> np.ndarray:
        return np.asarray(tm.reconstruct(scan, "steps: [fbp]"))

    known = {"axis_column": Value(AXIS, "user", "test")}
    exact = slices(scan_of_arrays(whole(), ANGLES, domain="attenuation").with_geometry(**known))
    inside = np.hypot(*(np.mgrid[:WIDTH, :WIDTH] - 47.5)) < 36
    light = 60_000 * np.maximum.reduce(
        [np.interp(np.arange(WIDTH) - left, np.arange(COLUMNS), LIGHT, 0, 0) for _, left in EXACT]
    )
    draw = np.random.default_rng(9)
    noisy = -np.log(np.maximum(draw.poisson(light * np.exp(-whole())), 1) / light).astype(np.float32)
    least = slices(scan_of_arrays(noisy, ANGLES, domain="attenuation").with_geometry(**known))
    error, reference = (float(np.sqrt(np.mean((v - exact)[:, inside] ** 2))) for v in (slices(made), least))
    assert error < 1.05 * reference  # what one detector with the best light of each pixel would give
    rest = (slices(made) - exact)[:, inside]
    assert np.abs(np.diff(rest.mean(axis=1))).max() < 0.1 * rest.std()


def test_parts_are_as_the_whole(made: Scan) -> None:
    everything = made.projections.read(slice(0, VIEWS), slice(0, HEIGHT))
    assert np.isfinite(everything).all()
    some = made.projections.read(np.array([40, 2, 3]), slice(15, 29))
    np.testing.assert_allclose(some, everything[[40, 2, 3], 15:29], atol=1e-6)
    read, unpacked = made.projections.cost(VIEWS, slice(20, 23))
    assert read > 0
    assert unpacked >= 0


def test_parts_of_a_pixel_are_found_and_undone(tmp_path: Path) -> None:
    true = ((0.0, 0.0), (0.4, 37.7), (17.6, 0.3), (18.2, 37.45))
    scan = written(tmp_path, true)
    made = mosaic(scan, scans="b.h5,c.h5,d.h5", places_px="0:38,18:0,18:38", search_px=4)
    found = starts(made)
    np.testing.assert_allclose(found - found[0], true, atol=0.1)
    down, across = found[0]
    rows, columns = made.shape[1:]
    exact = whole(down, across)[:, :rows, :columns]
    error = made.projections.read(slice(0, VIEWS), slice(0, rows)) - exact
    assert float(np.median(np.abs(error))) < 0.02
    assert made.axis_column is not None
    assert made.axis_column.value == pytest.approx(AXIS + across)


def test_it_stands_in_a_command(first: Scan, tmp_path: Path) -> None:
    words = ["--pixel", "1 um", "--axis", "46.7", "--step", "mosaic"]
    words += ["--set", "mosaic.scans=b.h5,c.h5,d.h5", "--set", "mosaic.places_px=0:38,18:0,18:38"]
    assert execute(["run", str(first.path), *words, "-o", str(tmp_path / "record")]) == 0
    assert tm.open(tmp_path / "record" / "volume.ome.zarr").shape == (HEIGHT, WIDTH, WIDTH)


def test_the_record_tells_which_tiles_it_was_made_of(tmp_path: Path) -> None:
    scan = written(tmp_path, EXACT[:2])
    elsewhere = tmp_path / "elsewhere" / "b.h5"
    elsewhere.parent.mkdir()
    (tmp_path / "b.h5").rename(elsewhere)
    words = [str(scan.path), "--pixel", "1 um", "--axis", "46.7", "--rows", "9:10", "--step", "mosaic"]
    words += ["--set", f"mosaic.scans={elsewhere}", "--set", "mosaic.places_px=0:38"]
    record = tmp_path / "record"
    assert execute(["run", *words, "-o", str(record)]) == 0
    told = json.loads((record / "provenance.json").read_text())
    assert told["further_scans"] == {"b.h5": fingerprint(elsewhere)}
    assert (
        "elsewhere" not in (record / "provenance.json").read_text() + (record / "protocol.yaml").read_text()
    )
    # The same names with other content are not the same run, whether it is resumed or repeated.
    elsewhere.rename(tmp_path / "b.h5")
    assert execute(["run", "--again", str(record), "-o", str(tmp_path / "again")]) == 0
    data_exchange.FORMAT.write(tmp_path / "b.h5", counts_of(whole()[:, :ROWS, 38:], 7))  # type: ignore[misc]
    with pytest.raises(InputError, match=r"b.h5 is not the scan this record was made of"):
        again_of(record)


def test_what_cannot_be_joined_is_said(first: Scan) -> None:
    with pytest.raises(ParameterError, match="scans is empty"):
        mosaic(first)
    with pytest.raises(ParameterError, match="1 places for 2"):
        mosaic(first, scans="b.h5,c.h5", places_px="0:38")
    with pytest.raises(ParameterError, match="is not ROW:COLUMN"):
        mosaic(first, scans="b.h5", places_px="38")
    with pytest.raises(InputError, match="shares no 8 rows and columns"):
        mosaic(first, scans="b.h5", places_px="0:55")
    with pytest.raises(InputError, match="leave gaps"):
        mosaic(first, scans="b.h5,c.h5", places_px="10:48,20:96", search_px=0)
    with pytest.raises(InputError, match="cannot be joined"):
        mosaic(tm.select_views(first, keep="::2"), scans="b.h5", places_px="0:38")


def test_a_tile_that_is_left_out_is_said(first: Scan) -> None:
    made = mosaic(first, scans="b.h5,c.h5", places_px="0:38,18:0", search_px=0)
    assert made.shape == (VIEWS, ROWS, WIDTH)
    [warned] = made.warnings
    assert "28 % of what they see is left out" in warned


def test_levels_are_matched_at_places_that_are_taken_as_told(tmp_path: Path) -> None:
    for name, left, level in (("a.h5", 0, 0.0), ("b.h5", 38, 0.25)):
        seen = whole()[:, :ROWS, left : left + COLUMNS] + level
        data_exchange.FORMAT.write(tmp_path / name, counts_of(seen, left))  # type: ignore[misc]
    scan = tm.open(tmp_path / "a.h5", axis_column=AXIS)
    assert isinstance(scan, Scan)
    told = {"scans": "b.h5", "places_px": "0:38", "search_px": 0.0}
    levels = [[tile.piece.level for tile in mosaic(scan, **told, match_level=match).projections.tiles]  # type: ignore
              for match in (True, False)]  # fmt: skip
    assert levels[0][0] == 0
    assert levels[0][1] == pytest.approx(0.25, abs=0.01)
    assert levels[1] == [0, 0]
