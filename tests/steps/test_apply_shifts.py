"""Known shifts of the sample are undone: against projections that were never shifted."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.formats.opening.shift_file import write_shifts
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.shifts import sinc_weights
from tomarium.model import Value

VIEWS, ROWS, COLUMNS = 181, 24, 128
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
AXIS = 63.0
FINE = (np.arange(4) - 1.5) / 4


def bodies(seed: int) -> list[Ellipsoid]:
    draw = np.random.default_rng(seed)
    return [
        Ellipsoid((0, 0, 0), (60, 40, 34), 0.02),
        *(
            Ellipsoid(
                (draw.uniform(-9, 9), *draw.uniform(-20, 20, 2)),
                tuple(draw.uniform(3, 8, 3)),
                draw.uniform(-0.02, 0.04),
            )
            for _ in range(12)
        ),
    ]


def projections(seed: int, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Exact projections of pixels with an area, each view with its own shift of the sample."""
    made = np.empty((VIEWS, ROWS, COLUMNS), np.float32)
    z, u = np.arange(ROWS) - 11.5, np.arange(COLUMNS) - AXIS
    for k, angle in enumerate(ANGLES):
        z_fine = (z[:, None] + FINE).ravel() - rows[k]
        u_fine = (u[:, None] + FINE).ravel() - columns[k]
        fine = line_integrals(bodies(seed), np.array([angle]), z_fine, u_fine)[0]
        made[k] = fine.reshape(ROWS, 4, COLUMNS, 4).mean(axis=(1, 3))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_slices_are_as_if_nothing_had_moved(seed: int) -> None:
    draw = np.random.default_rng(seed)
    columns, rows = draw.uniform(-3, 3, VIEWS), draw.uniform(-2, 2, VIEWS)
    none = np.zeros(VIEWS)
    still = scan_of_arrays(projections(seed, none, none), ANGLES, domain="attenuation")
    moved = scan_of_arrays(projections(seed, columns, rows), ANGLES, domain="attenuation")
    told = moved.with_geometry(
        shift_columns_px=Value(columns, "user", "test"), shift_rows_px=Value(rows, "user", "test")
    )
    plain = "steps: [fbp]"
    truth = np.asarray(tm.reconstruct(still, plain, axis_column=AXIS))[6:18]
    blurred = np.asarray(tm.reconstruct(moved, plain, axis_column=AXIS))[6:18]
    mended = np.asarray(tm.reconstruct(told, "steps: [apply_shifts, fbp]", axis_column=AXIS))[6:18]
    error, before = (float(np.sqrt(np.mean((made - truth) ** 2))) for made in (mended, blurred))
    assert error < 0.03 * float(truth.std())
    assert error < before / 8
    np.testing.assert_array_equal(np.asarray(tm.reconstruct(told, plain, axis_column=AXIS))[6:18], mended)


@pytest.mark.parametrize("engine", ["native", "direct", "nufft", "reference"])
def test_shifts_along_columns_need_no_interpolation(engine: str) -> None:
    columns = np.random.default_rng(5).uniform(-3, 3, VIEWS)
    none = np.zeros(VIEWS)
    still, moved = projections(1, none, none)[:, 12], projections(1, columns, none)[:, 12]
    truth = tm.fbp(still, ANGLES, AXIS, engine=engine)
    made = tm.fbp(moved, ANGLES, AXIS, engine=engine, shift_columns_px=columns)
    blurred = tm.fbp(moved, ANGLES, AXIS, engine=engine)
    error, before = (float(np.sqrt(np.mean((one - truth) ** 2))) for one in (made, blurred))
    assert error < 0.03 * float(truth.std())
    assert error < before / 8
    # A shift that is the same in all views is another axis.
    same = tm.fbp(still, ANGLES, AXIS - 1.25, engine=engine, shift_columns_px=np.full(VIEWS, 1.25))
    np.testing.assert_allclose(same, truth, atol=1e-5 * float(np.abs(truth).max()))


def test_shifts_that_are_none_of_a_scan_are_refused() -> None:
    with pytest.raises(InputError, match="shift_columns_px has shape"):
        tm.fbp(np.ones((VIEWS, COLUMNS)), ANGLES, AXIS, shift_columns_px=np.zeros(3))


def test_slabs_are_as_the_whole(tmp_path: Path) -> None:
    rows = np.linspace(-2.6, 2.6, VIEWS)
    scan = scan_of_arrays(projections(0, np.zeros(VIEWS), rows), ANGLES, domain="attenuation")
    told = scan.with_geometry(shift_rows_px=Value(rows, "user", "test"))
    steps = "steps: [apply_shifts, fbp]"
    whole = np.asarray(tm.reconstruct(told, steps, axis_column=AXIS))
    part = np.asarray(tm.reconstruct(told, steps, axis_column=AXIS, rows=slice(10, 13)))
    np.testing.assert_allclose(part, whole[10:13], atol=2e-6)  # rows share transforms with other neighbours


def test_weights_keep_a_constant_and_whole_pixels() -> None:
    np.testing.assert_allclose(sinc_weights(0.0), [0, 0, 0, 1, 0, 0, 0, 0], atol=1e-15)
    np.testing.assert_allclose(sinc_weights(1.0), [0, 0, 0, 0, 1, 0, 0, 0], atol=1e-15)
    assert [sinc_weights(f).sum() for f in (0.1, 0.5, 0.9)] == pytest.approx([1, 1, 1])


def test_shifts_in_a_text_file_are_undone_on_the_command_line(tmp_path: Path) -> None:
    shifts = np.linspace(-2, 2, VIEWS)
    transmission = np.exp(-projections(0, shifts, np.zeros(VIEWS)))
    draw = np.random.default_rng(0)
    scan = scan_of_arrays(
        draw.poisson(100 + 10_000 * transmission).astype(np.uint16),
        ANGLES,
        flats=draw.poisson(10_100, (10, ROWS, COLUMNS)).astype(np.uint16),
        darks=np.full((5, ROWS, COLUMNS), 100, np.uint16),
    )
    data_exchange.FORMAT.write(tmp_path / "a.h5", scan)  # type: ignore[misc]
    (tmp_path / "shifts.txt").write_text("\n".join(f"{shift:.6f}" for shift in shifts))
    words = [
        str(tmp_path / "a.h5"),
        "--axis",
        "63",
        "--pixel",
        "1 um",
        "--shifts",
        str(tmp_path / "shifts.txt"),
    ]
    assert execute(["run", *words, "-o", str(tmp_path / "record")]) == 0
    made = np.asarray(tm.open(tmp_path / "record" / "volume.ome.zarr"))[12]
    still = np.exp(-projections(0, np.zeros(VIEWS), np.zeros(VIEWS)))
    truth = tm.fbp(-np.log(still[:, 12]), ANGLES, AXIS, pixel_m=1e-6)
    inside = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - 63.5)) < 45
    assert np.corrcoef(made[inside], truth[inside])[0, 1] > 0.97


def test_a_correction_file_is_written_and_read(tmp_path: Path) -> None:
    columns, rows = np.random.default_rng(0).normal(0, 2, (2, VIEWS))
    write_shifts(tmp_path / "correct.txt", columns, rows)
    told = np.loadtxt(tmp_path / "correct.txt")  # as PyHST2 and nabu read it
    np.testing.assert_allclose(told, np.stack([columns, rows], axis=1), atol=5e-5)
    data_exchange.FORMAT.write(  # type: ignore[misc]
        tmp_path / "a.h5", scan_of_arrays(projections(0, columns * 0, rows * 0), ANGLES, domain="attenuation")
    )
    scan = tm.open(tmp_path / "a.h5", shifts="correct.txt")
    np.testing.assert_array_equal(scan.geometry.shift_columns_px.value, told[:, 0])
    np.testing.assert_array_equal(scan.geometry.shift_rows_px.value, told[:, 1])
    assert scan.geometry.shift_rows_px.source == "given in correct.txt"
    (tmp_path / "x.txt").write_text("# one column\n" + "0.5\n" * VIEWS)
    one = tm.open(tmp_path / "a.h5", shifts=tmp_path / "x.txt")
    assert one.geometry.shift_rows_px is None
    (tmp_path / "x.txt").write_text("1 2\n3\n")
    with pytest.raises(FormatError, match="its lines hold 1 or 2 numbers"):
        tm.open(tmp_path / "a.h5", shifts=tmp_path / "x.txt")
