"""The simulated detector: its statistics, its geometry, its defects."""

from dataclasses import replace

import numpy as np
import pytest

from tomarium.errors import ParameterError
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import FrameKind
from tomarium.synth import SimulationConfig, frames, series, truth
from tomarium.synth.frames import SimulatedFrames, beam, photon_counts, transmission
from tomarium.synth.wave import through_sample

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


BALLS = (
    Ellipsoid((1.0, 4.0, -6.0), (5.0, 20.0, 12.0), 0.02, (30.0, 10.0, 0.0)),
    Ellipsoid((-2.0, 0.0, 9.0), (4.0, 6.0, 8.0), 0.03),
)
MOVING = replace(
    PLAIN, ellipsoids=BALLS, axis_column=47.3, rows=40, span_deg=360.0, drift_px=(3.0, -2.0, 1.5), jitter_px=0.4,
    beam_drift_rows=3.0, beam_jitter_rows=0.7, current_decay=0.2, blocked_deg=((60.0, 132.0),), photons=1e6, gain=0.05,
)  # fmt: skip


def test_mass_is_the_same_at_every_angle() -> None:
    config = replace(MOVING, subrays=4)
    known = truth(config)
    z = (np.arange(160) + 0.5) / 4 - 20
    u = (np.arange(384) + 0.5) / 4 - 0.5 - known.axis_column
    mass = [through_sample(known, view, z, u).sum(dtype=np.float64) / 16 for view in range(config.views)]
    # Volume times attenuation.
    exact = sum(4 / 3 * np.pi * np.prod(one.half_axes) * one.attenuation for one in BALLS)
    np.testing.assert_allclose(mass, exact, rtol=3e-3)


def test_the_sample_stands_where_the_truth_says() -> None:
    """Its centre of mass, about the angle's own, is the shift that the truth tells."""
    known, still = truth(MOVING), truth(replace(MOVING, drift_px=(0.0, 0.0, 0.0), jitter_px=0.0))
    # Four samples along a pixel: coarser ones move the centre by themselves.
    z = (np.arange(160) + 0.5) / 4 - 20
    u = (np.arange(384) + 0.5) / 4 - 0.5 - known.axis_column

    def centre(one, view: int) -> np.ndarray:  # type: ignore[no-untyped-def]
        mass = through_sample(one, view, z, u).astype(np.float64)
        return np.array([(mass.sum(axis=1) * z).sum(), (mass.sum(axis=0) * u).sum()]) / mass.sum()

    moved = np.array([centre(known, view) - centre(still, view) for view in range(MOVING.views)])
    np.testing.assert_allclose(moved[:, 0], known.course.shift_rows_px, atol=0.02)
    np.testing.assert_allclose(moved[:, 1], known.course.shift_columns_px, atol=0.02)
    angles, time = np.radians(known.angles_deg), np.linspace(-0.5, 0.5, MOVING.views)
    slide = 3 * time * np.cos(angles) - 2 * time * np.sin(angles)
    assert np.std(known.course.shift_columns_px - slide) == pytest.approx(0.4, rel=0.3)


def test_beam_current_and_bars_are_those_told() -> None:
    config = replace(MOVING, ellipsoids=())
    known = truth(config)
    light = (read(config, FrameKind.PROJECTION).astype(np.float64) - config.dark_level) / (
        config.photons * config.gain
    )
    for view in range(config.views):
        place, intensity = known.course.beam(FrameKind.PROJECTION, view)
        share, start = known.course.blocked_share[view], known.course.blocked_from[view]
        covered = slice(int(np.ceil(start * 96)), int((start + share) * 96))
        outside = np.delete(light[view], slice(int(start * 96), int(np.ceil((start + share) * 96))), axis=1)
        if outside.shape[1]:
            seen = outside.mean(axis=1) / intensity
            np.testing.assert_allclose(seen, beam(config, place), rtol=2e-3)
        if covered.stop > covered.start:
            assert light[view][:, covered].mean() == pytest.approx(
                0.01 * intensity * beam(config, place).mean(), rel=0.01
            )
    assert (known.course.blocked_share > 0).sum() == 5
    assert known.course.blocked_share.max() == 1
    assert known.course.beam_intensity[[0, -1]] == pytest.approx([1.0, 0.8])
    flats = (read(config, FrameKind.FLAT).astype(np.float64) - config.dark_level) / (
        config.photons * config.gain
    )
    expected = [
        known.course.flat_beam_intensity[k] * beam(config, known.course.flat_beam_rows_px[k]).mean()
        for k in range(len(flats))
    ]
    np.testing.assert_allclose(flats.mean(axis=(1, 2)), expected, rtol=1e-3)


def test_hits_and_responses_are_those_told() -> None:
    config = replace(PLAIN, zingers=3.0, ring_error=0.02, photons=1e6, gain=0.05, dead_pixels=5, hot_pixels=3)
    without = replace(config, zingers=0.0)
    more = read(config, FrameKind.PROJECTION).astype(float) - read(without, FrameKind.PROJECTION)
    told = np.zeros_like(more)
    known = truth(config)
    for view, row, column, length, height in known.entries()["zingers"]:  # type: ignore[union-attr]
        told[int(view), int(row), int(column) : int(column + length)] += height
    working = np.ones(config.rows * config.columns, bool)
    working[known.dead] = working[known.hot] = False
    working = np.broadcast_to(working.reshape(config.rows, -1), more.shape) & (told < 5000)
    assert (told > 100).sum() > 100
    np.testing.assert_allclose(more[working], told[working], atol=1)
    clean = read(without, FrameKind.PROJECTION).astype(float)
    whole = np.setdiff1d(np.arange(config.columns), np.concatenate([known.dead, known.hot]) % config.columns)
    columns = (clean - config.dark_level).mean(axis=(0, 1))[whole]
    told_columns = known.column_response[whole]
    np.testing.assert_allclose(columns / columns.mean(), told_columns / told_columns.mean(), rtol=2e-3)


def test_a_rolled_axis_is_a_rolled_detector() -> None:
    """The line integrals at a place are those of the upright axis at the place turned back."""
    rolled, upright = (
        truth(replace(PLAIN, ellipsoids=BALLS, axis_column=47.0, roll_deg=roll)) for roll in (5.0, 0.0)
    )
    turn = np.radians(5.0)
    for view in (0, 7, 19):
        for z, u in ((2.0, 5.0), (-3.0, -8.0), (1.0, 0.5)):
            # Counter-clockwise with rows downwards: the top of the axis leans to lower columns.
            there = z * np.cos(turn) - u * np.sin(turn), z * np.sin(turn) + u * np.cos(turn)
            seen = through_sample(rolled, view, *(np.array([one]) for one in there))
            assert seen[0, 0] == pytest.approx(
                through_sample(upright, view, np.array([z]), np.array([u]))[0, 0], abs=1e-5
            )


def test_a_series_sees_one_specimen() -> None:
    first, second = series(SimulationConfig(columns=64, rows=20, views=6, seed=3), 2, 8)
    one, other = (
        np.stack([transmission(part, truth(part), view) for view in range(6)]) for part in (first, second)
    )
    np.testing.assert_allclose(one[:, 12:], other[:, :8], atol=1e-6)
    assert not np.array_equal(read(first, FrameKind.FLAT)[0], read(second, FrameKind.FLAT)[0])
    np.testing.assert_array_equal(truth(first).pixel_gain, truth(second).pixel_gain)


def test_a_wide_specimen_is_as_wide_as_told() -> None:
    config = SimulationConfig(columns=64, rows=8, views=4, wide=1.5, axis_column=31.5)
    body = truth(config).ellipsoids[0]
    assert 2 * max(body.half_axes[1:]) == pytest.approx(1.5 * 63)


@pytest.mark.parametrize(
    "wrong",
    [
        {"current_decay": 1.0}, {"beam_stripes": -0.1}, {"roll_deg": 60.0}, {"blocked_deg": ((170.0, 200.0),)},
        {"jitter_px": -1.0}, {"wide": float("nan")},
    ],
)  # fmt: skip
def test_defects_that_cannot_be_are_refused(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        replace(PLAIN, **wrong)
