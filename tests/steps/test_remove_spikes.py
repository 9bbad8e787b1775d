"""Spikes of a scan: found beside the views about each, whatever slabs it is cut into."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import tomarium as tm
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import FrameKind, Scan, Slab
from tomarium.steps.core.context import Context
from tomarium.steps.correct.remove_spikes import remove_spikes, views_beside
from tomarium.synth import SimulationConfig, simulated, truth
from tomarium.synth.frames import SimulatedFrames

CONFIG = SimulationConfig(
    columns=64, rows=48, views=180, dead_pixels=0, hot_pixels=0, ring_error=0.0, axis_column=31.5, zingers=3.0,
    fixed_pattern=0.02, flats=20, seed=3,
    ellipsoids=(Ellipsoid((0, 1, -2), (100, 22, 18), 0.03), Ellipsoid((0, 6, 4), (100, 1, 2), -0.03)),
)  # fmt: skip


@lru_cache(maxsize=1)
def struck() -> tuple[Scan, NDArray[np.uint16], NDArray[np.uint16]]:
    """The scan, its counts with hits, and without."""
    shown = [
        SimulatedFrames(config, truth(config), FrameKind.PROJECTION).read(slice(None), slice(None))
        for config in (CONFIG, replace(CONFIG, zingers=0.0))
    ]
    return simulated(CONFIG), shown[0], shown[1]


def cleaned(scan: Scan) -> NDArray[np.uint16]:
    prepared = remove_spikes.prepare(scan, {}, slice(0, scan.shape[1]))  # type: ignore[misc]
    slab = Slab(scan.projections.read(slice(None), slice(None)), slice(0, scan.shape[1]))
    made: NDArray[np.uint16] = remove_spikes(
        slab, context=Context(), prepared=prepared, threshold=7.0
    ).data.copy()
    return made


def test_hits_above_ten_deviations_go_and_little_else_is_changed() -> None:
    scan, counts, clean = struck()
    made = cleaned(scan).astype(float)
    height = counts.astype(float) - clean
    sigma = np.sqrt(CONFIG.gain * np.maximum(clean - 100.0, 1) + CONFIG.read_noise**2)
    high = height > 10 * sigma
    assert high.sum() > 500
    assert np.mean(np.abs(made - clean)[high] > 0.5 * height[high]) <= 0.006
    assert np.mean((made != counts)[counts == clean]) <= 1e-5


@pytest.mark.parametrize("height", [7, 32])
def test_frames_of_a_few_views_give_what_the_whole_does(height: int) -> None:
    scan, _, _ = struck()
    whole = cleaned(scan)
    prepared = remove_spikes.prepare(scan, {}, slice(0, CONFIG.rows))  # type: ignore[misc]
    for first in range(0, CONFIG.views, height):
        views = slice(first, min(first + height, CONFIG.views))
        slab = Slab(scan.projections.read(views, slice(None)), slice(0, CONFIG.rows), frames=views)
        made = remove_spikes(slab, context=Context(), prepared=prepared, threshold=7.0)
        np.testing.assert_array_equal(made.data, whole[views])


@pytest.mark.parametrize("height", [7, 180])
def test_the_median_of_three_views_is_that_of_scipy(height: int) -> None:
    scan, counts, _ = struck()
    expected = ndimage.median_filter(counts, (3, 1, 1))
    expected[0], expected[-1] = np.median(counts[:3], axis=0), np.median(counts[-3:], axis=0)
    prepared = remove_spikes.prepare(scan, {}, slice(0, CONFIG.rows))  # type: ignore[misc]
    for first in range(0, CONFIG.views, height):
        views = slice(first, min(first + height, CONFIG.views))
        slab = Slab(counts[views], slice(0, CONFIG.rows), frames=views)
        made = remove_spikes(slab, context=Context(), prepared=prepared, method="median3")
        np.testing.assert_array_equal(made.data, expected[views])


def test_a_hit_of_a_flat_goes_too() -> None:
    scan, _, _ = struck()
    assert scan.flats is not None
    flats = scan.flats.frames.read(slice(0, 1), slice(None)).copy()
    flats[0, 20, 30] += 9000
    views = scan.projections.read(slice(None), slice(None))
    scan = scan_of_arrays(views, scan.angles_deg.value, flats=flats, axis_column=31.5)
    seen = []
    for steps in ("steps: [flat_field]", "steps: [remove_spikes, flat_field]"):
        made = tm.reconstruct(scan, steps)
        assert isinstance(made, Scan)
        seen.append(float(np.median(made.projections.read(slice(None), slice(20, 21))[:, 0, 30])))
    assert seen[0] - seen[1] > 0.15


def test_views_are_compared_with_those_near_in_angle() -> None:
    np.testing.assert_array_equal(views_beside(np.arange(5.0)), [[1, 2], [0, 2], [1, 3], [2, 4], [2, 3]])
    golden = np.arange(100) * 111.246 % 360
    beside = views_beside(golden)
    assert (beside >= 0).all()
    apart = np.abs(golden[beside] - golden[:, None])
    assert apart.max() < 10
    assert (views_beside(np.arange(8) * 22.5) == -1).all()
    assert (views_beside(np.array([0.0, 1.0])) == -1).all()
    turning = views_beside(np.arange(400.0) % 360)
    np.testing.assert_array_equal(turning[359:361], [[358, 360], [359, 361]])
