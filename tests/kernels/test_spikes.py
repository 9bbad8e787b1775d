"""Spikes: found, and nothing else taken for one."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable, InputError, ParameterError
from tomarium.kernels.spikes import (
    HALO,
    NoiseModel,
    Pattern,
    local_median,
    measure_noise,
    median_network,
    pattern_of,
    remove_spikes,
)


@pytest.fixture(params=["reference", "v4", "v3", "plain"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "reference":
        return "reference"
    try:
        if request.param not in extension().levels():
            pytest.skip(f"this processor has no level {request.param}")
    except EngineUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setenv(VARIABLE, request.param)
    return "native"


def light(rows: int = 300, columns: int = 400) -> np.ndarray:
    """Mean counts: a strong absorber with sharp edges, and a bright strip."""
    mean = np.full((rows, columns), 500.0)
    mean[100:200, 100:300] = 20
    mean[:, 350:] = 5000
    return mean


@cache
def drawn(seed: int, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray, NoiseModel]:
    """Frames of noise, the same with 600 spikes, where those are, and the noise; for all engines."""
    draw = np.random.default_rng(seed)
    mean = np.broadcast_to(light(), (6, 300, 400))
    frames = draw.poisson(mean).astype(dtype)
    noise = measure_noise(frames[:2])
    for brightness in (20, 500, 5000):
        plain = draw.poisson(brightness, (200, 200)).astype(np.float32)
        spread = float(np.std(plain - local_median(plain)))
        assert noise.at(np.array([brightness]))[0] == pytest.approx(spread, rel=0.15)
    struck = frames.copy()
    places = draw.choice(frames.size, 600, replace=False)
    strength = draw.uniform(15, 60, 600) * np.sqrt(mean.ravel()[places])
    struck.ravel()[places] = np.minimum(struck.ravel()[places] + strength + 30, 65535).astype(dtype)
    frames.setflags(write=False)
    struck.setflags(write=False)
    return frames, struck, places, noise


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("seed", range(5))
def test_spikes_are_found_and_noise_is_none(engine: Any, seed: int, dtype: type) -> None:
    frames, struck, places, noise = drawn(seed, dtype)
    mean = np.tile(light().ravel(), 6)
    _, count = remove_spikes(frames, noise, engine=engine)
    assert count <= 1e-6 * frames.size
    made, count = remove_spikes(struck, noise, threads=2, engine=engine)
    left = np.abs(made.ravel()[places] - mean[places]) > 8 * np.sqrt(mean[places])
    assert left.mean() <= 0.01
    assert 594 <= count <= 700
    assert made.dtype == frames.dtype
    untouched = np.ones(frames.size, bool)
    untouched[places] = False
    changed = (made.ravel() != struck.ravel())[untouched]
    assert changed.sum() <= 100, "neighbours of spikes above three standard deviations alone"


def test_a_pair_and_a_block_of_four_are_spikes(engine: Any) -> None:
    frames = np.random.default_rng(1).poisson(400, (1, 60, 60)).astype(np.uint16)
    noise = measure_noise(frames)
    frames[0, 20, 20:22] += 3000
    frames[0, 40:42, 40:42] += 3000
    made, count = remove_spikes(frames, noise, engine=engine)
    assert count == 6
    assert made.max() < 520


def test_the_median_is_numpys() -> None:
    frame = np.random.default_rng(2).normal(size=(101, 33)).astype(np.float32)
    padded = np.pad(frame, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(101, 33, 9)
    np.testing.assert_array_equal(local_median(frame), np.median(windows, axis=2))


@pytest.mark.parametrize("size", range(1, 102, 10))
def test_the_network_leaves_the_median_in_the_middle(size: int) -> None:
    numbers = np.random.default_rng(size).normal(size=(size, 500))
    lanes = list(numbers)
    for low, high in median_network(size):
        lanes[low], lanes[high] = np.minimum(lanes[low], lanes[high]), np.maximum(lanes[low], lanes[high])
    np.testing.assert_array_equal(lanes[size // 2], np.median(numbers, axis=0))


def test_what_is_not_finite_is_left_to_the_flat_field(engine: Any) -> None:
    frames = np.random.default_rng(3).poisson(400, (1, 30, 30)).astype(np.float32)
    noise = measure_noise(frames)
    broken = [(10, 10), (0, 0), (29, 12), (15, 29)]
    for number, (row, column) in enumerate(broken):
        frames[0, row, column] = (np.nan, np.inf, -np.inf)[number % 3]
    frames[0, 11, 11] = frames[0, 1, 1] = 5000  # a spike beside what is broken is found all the same
    made, count = remove_spikes(frames, noise, engine=engine)
    assert count == 2
    for row, column in broken:
        np.testing.assert_equal(made[0, row, column], frames[0, row, column])
    assert np.isfinite(made).sum() == 900 - len(broken)
    assert made[np.isfinite(made)].max() < 600


def test_edges_lines_and_corners_are_left_alone(engine: Any) -> None:
    """An absorber that lets 1 % through, with cracks one pixel wide and a bright window with sharp corners."""
    mean = np.full((200, 300), 10000.0)
    y, x = np.mgrid[:200, :300]
    absorber = np.hypot(y - 100, x - 120) < 80
    mean[absorber] = 100
    mean[np.abs(x - 0.4 * y - 70) < 0.5] = 10000  # slanted
    mean[60, 80:150] = mean[80:150, 140] = 10000  # a row, a column
    mean[120:140, 90:110] = 10000
    mean[(np.hypot(y - 100, x - 240) > 30) & (np.hypot(y - 100, x - 240) < 31.2)] *= 1.4  # a fringe
    mean[:, 280:] = 50
    draw = np.random.default_rng(5)
    frames = draw.poisson(np.broadcast_to(mean, (4, 200, 300))).astype(np.uint16)
    made, count = remove_spikes(frames, measure_noise(frames), engine=engine)
    assert count == 0
    struck = frames.copy()
    free = np.argwhere(~absorber[2:-2, 2:278])[::97] + 2
    struck[0, free[:, 0], free[:, 1]] = 60000
    made, count = remove_spikes(struck, measure_noise(struck), engine=engine)
    assert (made[0, free[:, 0], free[:, 1]] < 20000).all()


@cache
def even(brightness: int) -> tuple[np.ndarray, NoiseModel]:
    """A million pixels of noise, and what is measured of it; for all engines."""
    frames = np.random.default_rng(brightness).poisson(brightness, (4, 250, 1000)).astype(np.uint16)
    frames.setflags(write=False)
    return frames, measure_noise(frames[:1])


@pytest.mark.parametrize("brightness", [3, 30, 1000, 30000])
def test_few_in_a_million_pixels_of_noise_are_taken_for_spikes(engine: Any, brightness: int) -> None:
    _, count = remove_spikes(*even(brightness), engine=engine)
    assert count <= (20 if brightness < 10 else 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 70), st.booleans(), st.floats(0.5, 12))
def test_the_engines_agree(seed: int, rows: int, columns: int, whole: bool, threshold: float) -> None:
    try:
        extension()
    except EngineUnavailable as error:
        pytest.skip(str(error))
    draw = np.random.default_rng(seed)
    frames = draw.gamma(2, 300, (6, rows, columns)).astype(np.float32)
    frames[draw.random(frames.shape) < 0.05] *= 30
    if whole:
        frames = np.minimum(frames, 65535).astype(np.uint16)
    else:
        frames[draw.random(frames.shape) < 0.02] = draw.choice([np.nan, np.inf, -np.inf])
    noise = NoiseModel(
        np.array([50.0, 400, 400, 2000]), np.array([7.0, 20, 21, 45]), np.array([6.0, 18, 19, 30])
    )
    dark, relative = draw.normal(50, 5, (rows, columns)), draw.uniform(0.5, 2, (rows, columns))
    drawn = Pattern(dark.astype(np.float32), relative.astype(np.float32))
    for given_ in (
        {},
        {"beside": draw.integers(-1, 6, (4, 2)), "more": frames[4:], "pattern": drawn},
    ):
        expected, count = remove_spikes(
            frames[:4], noise, threshold=threshold, engine="reference", threads=2, **given_
        )
        for threads in (1, 3):
            made, other = remove_spikes(
                frames[:4], noise, threshold=threshold, engine="native", threads=threads, **given_
            )
            np.testing.assert_array_equal(made, expected)
            assert other == count


def test_what_stays_from_view_to_view_is_no_spike_and_what_is_new_beside_an_edge_is(engine: Any) -> None:
    draw = np.random.default_rng(8)
    mean = np.full((3, 60, 80), 2000.0)
    mean[:, :, 40:] = 20000
    mean[:, 20, 20] = 8000  # a bright channel of one pixel
    frames = draw.poisson(mean).astype(np.uint16)
    noise = measure_noise(frames[:2], frames[1:])
    hit = np.zeros(frames.shape, np.uint16)
    hit[1, 40, 37:40] = 12000  # a hit that touches what is bright
    hit[1, 20, 60] = 6000
    beside = np.array([[1, 2], [0, 2], [0, 1]])
    made, count = remove_spikes(frames + hit, noise, beside=beside, engine=engine)
    assert count == 4
    assert made[:, 20, 20].min() > 7000
    assert np.abs(made[hit > 0] - mean[hit > 0]).max() < 1500
    by_itself, _ = remove_spikes(frames + hit, noise, engine=engine)
    assert by_itself[:, 20, 20].max() < 3000
    assert by_itself[1, 40, 38] > 10000


def test_hits_that_touch_and_hits_beside_an_edge_go_whole(engine: Any) -> None:
    draw = np.random.default_rng(11)
    mean = np.full((3, 40, 60), 9000.0)
    mean[:, :, 30:] = 30000
    frames = draw.poisson(mean).astype(np.uint16)
    noise = measure_noise(frames[:2], frames[1:])
    hit = np.zeros(frames.shape, np.uint16)
    hit[1, 10, 10:13] += 5000
    hit[1, 10, 12:15] += 4500  # two hits of three pixels share one
    hit[1, 25, 27:30] = 1200  # 12 deviations, at the dark side of an edge
    beside = np.array([[1, 2], [0, 2], [0, 1]])
    made, count = remove_spikes(frames + hit, noise, threshold=7, beside=beside, engine=engine)
    assert np.abs(made[hit > 0] - mean[hit > 0]).max() < 600
    assert count == 8
    larger = np.zeros(frames.shape, np.uint16)
    larger[1, 10, 10:17] = 5000
    _, count = remove_spikes(frames + larger, noise, threshold=7, beside=beside, engine=engine)
    assert count == 0, "what is longer than two hits is a scratch or a crack"


def test_what_moves_is_no_spike(engine: Any) -> None:
    """A dark grain leaves a pixel of a brighter one beside it for one view."""
    mean = np.full((3, 40, 60), 20000.0)
    mean[:, 18:22, 20:24] = 6000
    mean[1, 18:22, 20:24] = 20000
    mean[1, 18:22, 24:28] = 6000
    mean[1, 19:21, 23] = 26000
    frames = np.random.default_rng(12).poisson(mean).astype(np.uint16)
    noise = NoiseModel(np.array([0.0, 40000.0]), np.array([10.0, 200.0]), np.array([10.0, 200.0]))
    beside = np.array([[1, 2], [0, 2], [0, 1]])
    made, _ = remove_spikes(
        frames[1:2], noise, beside=beside[1:2] // 2 + 1, more=frames[[0, 2]], engine=engine
    )
    np.testing.assert_array_equal(made[0, 19:21, 23], frames[1, 19:21, 23])


def test_noise_in_time_is_that_of_photons_where_edges_move() -> None:
    """Between the two levels lie an edge's pixels alone, and it moves by half a pixel from frame to frame."""
    draw = np.random.default_rng(13)
    x, y = np.arange(400.0), np.arange(200.0)[:, None]

    def measured(step: float) -> np.ndarray:
        middles = (200 + 20 * np.sin(y / 9) + step * k for k in range(3))
        frames = [draw.poisson(20000 + 10000 * np.tanh((x - m) / 2)).astype(np.float32) for m in middles]
        noise = measure_noise(np.stack(frames[:2]), np.stack(frames[1:]))
        return noise.in_time_at(np.array([10000.0, 20000.0, 30000.0]))

    np.testing.assert_allclose(measured(0.7), measured(0.0), rtol=0.06)
    np.testing.assert_allclose(measured(0.7), np.sqrt([10000, 20000, 30000]), rtol=0.18)


def test_the_pattern_of_the_detector_hides_no_hit_and_is_kept(engine: Any) -> None:
    """Gains that differ by 2 %, at 4 counts a photon: in counts a hit of ten deviations is as high as the pattern."""
    draw = np.random.default_rng(9)
    gain, dark = draw.normal(1, 0.02, (80, 100)), draw.normal(500, 20, (80, 100)).astype(np.float32)

    def exposed(photons: float, count: int) -> np.ndarray:
        return 4 * draw.poisson(photons * gain, (count, 80, 100)) + dark

    drawn = pattern_of(exposed(10_000, 40).mean(axis=0).astype(np.float32), dark)
    clean = np.rint(exposed(9_000, 3)).astype(np.uint16)
    sigma = 4 * np.sqrt(9_000)
    signals = drawn.signal(clean)
    noise = measure_noise(signals[:2], signals[1:])
    assert noise.in_time_at(np.array([36_000.0]))[0] == pytest.approx(sigma, rel=0.15)
    struck = clean.copy()
    rows, columns = np.mgrid[4:78:6, 4:98:6]
    struck[1, rows, columns] += np.uint16(12 * sigma)
    beside = np.array([[1, 2], [0, 2], [0, 1]])
    made, count = remove_spikes(struck, noise, threshold=7, pattern=drawn, beside=beside, engine=engine)
    assert (made[1, rows, columns] < struck[1, rows, columns] - 6 * sigma).mean() >= 0.99
    assert count <= rows.size
    expected = (4 * 9_000 * gain + dark)[rows, columns]
    assert np.std(made[1, rows, columns] - expected) < 1.1 * sigma
    _, found = remove_spikes(struck, measure_noise(struck), threshold=7, engine=engine)
    assert found < 0.5 * rows.size


def test_rows_with_their_halo_are_those_of_the_whole(engine: Any) -> None:
    draw = np.random.default_rng(6)
    frames = draw.poisson(500, (2, 60, 80)).astype(np.uint16)
    noise = measure_noise(frames)
    frames[draw.random(frames.shape) < 0.03] += 2000
    whole, _ = remove_spikes(frames, noise, engine=engine)
    assert (whole != frames).any()
    for row in range(60):
        first, last = max(0, row - HALO), min(60, row + 1 + HALO)
        part, _ = remove_spikes(frames[:, first:last], noise, engine=engine)
        np.testing.assert_array_equal(part[:, row - first], whole[:, row])


def test_other_types_take_the_reference_and_wrong_input_is_refused() -> None:
    frames = np.random.default_rng(7).poisson(100, (1, 40, 40)).astype(np.uint8)
    noise = measure_noise(frames)
    frames[0, 20, 20] = 255
    made, count = remove_spikes(frames, noise)
    assert (made.dtype, count) == (np.uint8, 1)
    assert made[0, 20, 20] < 140
    with pytest.raises(EngineUnavailable, match="not uint8"):
        remove_spikes(frames, noise, engine="native")
    with pytest.raises(ParameterError, match="threshold is 0"):
        remove_spikes(frames, noise, threshold=0)
    with pytest.raises(ParameterError, match="no engine 'fast'"):
        remove_spikes(frames, noise, engine="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"shape \(40, 40\)"):
        remove_spikes(frames[0], noise)
    with pytest.raises(InputError, match="another array than the frames"):
        remove_spikes(frames, noise, out=frames)
    with pytest.raises(InputError, match="out is uint16"):
        remove_spikes(frames, noise, out=np.empty((1, 40, 40), np.uint16))
    with pytest.raises(InputError, match=r"beside has shape \(1, 2\)"):
        remove_spikes(frames, noise, beside=np.array([[-1, 1]]))
    with pytest.raises(InputError, match="all must be alike"):
        remove_spikes(frames, noise, more=frames[:, 1:])
    assert remove_spikes(frames[:0], noise)[0].shape == (0, 40, 40)
