"""Known shifts of the sample are undone: against projections that were never shifted."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.errors import MissingData
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
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
    with pytest.raises(MissingData, match="--step apply_shifts"):
        tm.reconstruct(told, plain, axis_column=AXIS)


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


def test_shifts_in_a_text_file_are_undone_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
        "--shift-columns",
        str(tmp_path / "shifts.txt"),
    ]
    assert execute(["slice", *words, "-o", str(tmp_path / "a.png")]) == 2
    assert "--step apply_shifts" in capsys.readouterr().err
    assert execute(["run", *words, "--step", "apply_shifts", "-o", str(tmp_path / "record")]) == 0
    made = np.asarray(tm.open(tmp_path / "record" / "volume.ome.zarr"))[12]
    still = np.exp(-projections(0, np.zeros(VIEWS), np.zeros(VIEWS)))
    truth = tm.fbp(-np.log(still[:, 12]), ANGLES, AXIS, pixel_m=1e-6)
    inside = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - 63.5)) < 45
    assert np.corrcoef(made[inside], truth[inside])[0, 1] > 0.97
