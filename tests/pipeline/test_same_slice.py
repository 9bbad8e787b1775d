"""A slice is bitwise the same however many rows are asked for, and however they are cut into slabs."""

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.kernels.engines import engines
from tomarium.model import Scan, Slab
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import Protocol, from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import rows_for
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.pipeline.run.runner import run
from tomarium.pipeline.run.slab_counts import tallied
from tomarium.steps.volume.statistics import statistics

ROWS, ANGLES, COLUMNS = 19, 70, 50
PLENTY = Resources(10**12, None, 2, 2)


def discs(columns: int, wide: float, seed: int) -> NDArray[np.float32]:
    """Return attenuation of discs, each row of another strength; where they are wide, most are wider than the field."""
    draw = np.random.default_rng(seed)
    angles = np.pi * np.arange(ANGLES) / ANGLES
    u = np.arange(columns) - (columns - 1) / 2
    result = np.zeros((ANGLES, ROWS, columns))
    for row in range(ROWS):
        radii = [
            wide * columns / 2 * (0.5 if row % 5 == 0 else 1.0),
            *draw.uniform(0.03, 0.2, 4) * columns / 2,
        ]
        for radius, strength in zip(radii, [1.0, *draw.uniform(-0.4, 1, 4)], strict=True):
            off = 0.0 if strength == 1 else draw.uniform(0, 0.6) * columns / 2
            place = off * np.cos(angles - draw.uniform(0, 2 * np.pi))
            result[:, row] += strength * 2 * np.sqrt(np.maximum(radius**2 - (u - place[:, None]) ** 2, 0))
        result[:, row] *= 10 ** draw.uniform(-1, 1) / columns  # a strong row beside a weak one
    return (result + draw.normal(0, 0.005, result.shape)).astype(np.float32)


def made(scan: Scan, protocol: Protocol, rows: slice, slab_rows: int | None = None) -> NDArray[np.float32]:
    """Reconstruct some rows."""
    outcome = run(scan, protocol, None, PLENTY, rows=rows, slab_rows=slab_rows)
    return outcome.sink.array  # type: ignore[union-attr,return-value]


@pytest.fixture(
    scope="module", params=[name for name in ("native", "direct", "nufft") if engines()[name].available]
)
def case(request: pytest.FixtureRequest) -> tuple[Scan, Protocol, NDArray[np.float32]]:
    """Make the whole volume by one engine, of a scan with rows that are wider than the field and rows that are not."""
    angles = 180 * np.arange(ANGLES) / ANGLES
    scan = tm.scan_of_arrays(
        discs(COLUMNS, 1.3, seed=1), angles, domain="attenuation", axis_column=COLUMNS / 2
    )
    protocol = from_data({"steps": [{"fbp": {"engine": request.param}}]}, "test")
    return scan, protocol, made(scan, protocol, slice(0, ROWS))


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17])
def test_rows_that_are_asked_for_alone_are_those_of_the_whole(
    case: tuple[Scan, Protocol, NDArray[np.float32]], count: int
) -> None:
    scan, protocol, whole = case
    for first in (1, ROWS - count):
        part = made(scan, protocol, slice(first, first + count))
        np.testing.assert_array_equal(part, whole[first : first + count], err_msg=f"rows from {first}")


@pytest.mark.parametrize("slab_rows", [1, 2, 3, 15, 16, 17])
def test_slabs_of_any_height_give_the_same_volume(
    case: tuple[Scan, Protocol, NDArray[np.float32]], slab_rows: int
) -> None:
    scan, protocol, whole = case
    np.testing.assert_array_equal(made(scan, protocol, slice(1, ROWS), slab_rows), whole[1:])


def test_a_slice_that_is_looked_at_is_that_of_the_volume(
    case: tuple[Scan, Protocol, NDArray[np.float32]],
) -> None:
    scan, protocol, whole = case
    for row in (0, 7, ROWS - 1):
        np.testing.assert_array_equal(slice_at(scan, row, protocol).slab.data[0], whole[row])


@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_rows_beside_a_slice_are_read_only_where_they_fill_pixels(kind: str) -> None:
    draw = np.random.default_rng(2)
    counts = draw.poisson(3000, (ANGLES, ROWS, COLUMNS)).astype(kind)
    flats = np.full((3, ROWS, COLUMNS), 9000, kind)
    flats[:, 9:11, 20:23] = 0
    angles = 180 * np.arange(ANGLES) / ANGLES
    scan = tm.scan_of_arrays(counts, angles, flats=flats, axis_column=COLUMNS / 2)
    protocol = from_data({"steps": ["flat_field", "fbp"]}, "test")
    seen = resolve(protocol, scan)
    alone = [rows_for(seen.scan, seen.work, slice(row, row + 1)) for row in (4, 9)]
    assert alone == [slice(4, 6) if kind == "u2" else slice(0, 14), slice(0, 18)]
    whole = made(scan, protocol, slice(0, ROWS))
    np.testing.assert_array_equal(made(scan, protocol, slice(0, ROWS), 4), whole)
    for row in (4, 9):
        np.testing.assert_array_equal(slice_at(scan, row, protocol).slab.data[0], whole[row])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_statistics_do_not_depend_on_threads(threads: int) -> None:
    data = np.random.default_rng(0).normal(0, 3, (7, 64, 64)).astype(np.float32)
    data[2, 30, 30] = np.nan
    data[4] *= 100
    slab = Slab(data, slice(0, 7), domain="slice", unit="1/px")
    assert tallied(statistics, {}, slab, threads) == statistics(slab)
