"""The simulated detector: its statistics, its geometry, its defects."""

from dataclasses import replace

import numpy as np
import pytest

from tomarium.errors import ParameterError
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import FrameKind
from tomarium.synth import SimulationConfig, frames, truth
from tomarium.synth.frames import SimulatedFrames, photon_counts, transmission

PLAIN = SimulationConfig(
    columns=96,
    rows=16,
    views=30,
    ellipsoids=(),
    read_noise=0.0,
    fixed_pattern=0.0,
    ring_error=0.0,
    dead_pixels=0,
    hot_pixels=0,
    zingers=0.0,
    seed=4,
)


def read(config: SimulationConfig, kind: FrameKind) -> np.ndarray:
    return SimulatedFrames(config, truth(config), kind).read(slice(None), slice(None))


def test_variance_over_mean_is_the_gain() -> None:
    flats = read(replace(PLAIN, flats=400), FrameKind.FLAT).astype(np.float64) - PLAIN.dark_level
    ratio = flats.var(axis=0, ddof=1).mean() / flats.mean()
    assert ratio == pytest.approx(PLAIN.gain, rel=0.01)


@pytest.mark.parametrize("mean", [0.3, 5.0, 63.0, 65.0, 200.0, 1e4])
def test_photon_counts_are_poisson(mean: float) -> None:
    counts = photon_counts(np.random.default_rng(7), np.full(400_000, mean, np.float32)).astype(np.float64)
    assert counts.min() >= 0
    assert np.all(counts == np.rint(counts))
    assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / 4e5))
    assert counts.var() == pytest.approx(mean, rel=0.015)
    skewness = ((counts - counts.mean()) ** 3).mean() / counts.var() ** 1.5
    assert skewness == pytest.approx(mean**-0.5, abs=0.03)


def test_darks_have_the_level_and_noise_asked_for() -> None:
    darks = read(replace(PLAIN, read_noise=3.0, darks=100), FrameKind.DARK)
    assert darks.mean() == pytest.approx(PLAIN.dark_level, abs=0.05)
    # Rounding to whole counts adds 1/12.
    assert darks.var() == pytest.approx(9 + 1 / 12, rel=0.02)


def test_a_pixel_averages_transmission_not_attenuation() -> None:
    # A thick plate whose edge halves a pixel lets half of the light through, whatever its thickness.
    plate = Ellipsoid((0.0, 0.0, 4000.0), (4000.0, 4000.0, 4000.0), 0.05)
    config = replace(PLAIN, ellipsoids=(plate,), axis_column=48.0, subrays=8, rows=4)
    through = transmission(config, truth(config), 0)
    assert through[2, 47] == pytest.approx(1.0)
    assert through[2, 48] == pytest.approx(0.5, abs=0.1)
    assert through[2, 50] < 1e-3


def test_frames_do_not_depend_on_how_they_are_read() -> None:
    config = SimulationConfig(columns=48, rows=12, views=20, flats=3, darks=2, seed=9)
    stack = SimulatedFrames(config, truth(config), FrameKind.PROJECTION)
    whole = stack.read(slice(None), slice(None))
    np.testing.assert_array_equal(stack.read(np.array([7, 3]), slice(4, 9)), whole[[7, 3], 4:9])
    assert stack.read(slice(0, 0), slice(None)).shape == (0, 12, 48)
    for block in (1, 6):
        blocks = list(frames(config, block=block))
        kinds = [kind for kind, counts in blocks for _ in counts]
        assert kinds == ["dark"] * 2 + ["flat"] * 3 + ["projection"] * 20 + ["flat"] * 3
        together = np.concatenate([counts for kind, counts in blocks if kind is FrameKind.PROJECTION])
        np.testing.assert_array_equal(together, whole)
        assert max(len(counts) for _, counts in blocks) <= block


def test_progress_ends_at_the_total() -> None:
    config = SimulationConfig(columns=16, rows=4, views=10, flats=2, darks=2, dead_pixels=0, hot_pixels=0)
    seen: list[tuple[int, int]] = []
    for _ in frames(config, block=4, on_progress=lambda done, total: seen.append((done, total))):
        pass
    assert seen[-1] == (16, 16)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_defects_are_where_the_truth_says() -> None:
    config = replace(PLAIN, dead_pixels=5, hot_pixels=4)
    known = truth(config)
    projections = read(config, FrameKind.PROJECTION).reshape(config.views, -1)
    assert np.all(projections[:, known.dead] == 0)
    assert np.all(projections[:, known.hot] == 65535)
    assert np.count_nonzero(projections[0] == 65535) == 4


def test_light_beyond_the_range_saturates() -> None:
    flats = read(replace(PLAIN, photons=1e5, flats=1), FrameKind.FLAT)
    assert flats.dtype == np.uint16
    assert flats.max() == 65535


def test_rings_stay_after_the_flat_field() -> None:
    config = replace(PLAIN, ring_error=0.02, photons=1e4, gain=1.0, views=100, flats=50)
    known = truth(config)
    flat = read(config, FrameKind.FLAT).mean(axis=0) - config.dark_level
    view = read(config, FrameKind.PROJECTION).mean(axis=0) - config.dark_level
    np.testing.assert_allclose((view / flat).mean(axis=0), known.column_response, atol=3e-3)


def test_the_beam_drifts_all_the_time() -> None:
    config = replace(PLAIN, rows=64, beam_drift_rows=3.0, flats=20)
    flats = read(config, FrameKind.FLAT).mean(axis=2)
    before, after = flats[:20].mean(axis=0), flats[20:].mean(axis=0)
    # Three rows over 29 steps; the middles of the two runs of flats are 50 steps apart.
    match = [np.mean((after[shift : 54 + shift] - before[:54]) ** 2) for shift in range(9)]
    assert int(np.argmin(match)) == round(3 * 50 / 29)


def test_zingers_come_as_often_as_asked_for() -> None:
    counts = read(replace(PLAIN, zingers=2.0, darks=200), FrameKind.DARK)
    hit = np.count_nonzero(counts > 500)
    assert 400 < hit < 1200


@pytest.mark.parametrize("change", [{"views": 0}, {"photons": -1.0}, {"flats": -1}, {"dead_pixels": 10**6}])
def test_what_cannot_be_simulated_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="simulation"):
        replace(PLAIN, **change)
