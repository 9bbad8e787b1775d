"""Normalisation: both twins, the clamp, dead pixels, values that are not finite, interpolated flat fields."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable, InputError, ParameterError
from tomarium.kernels.flat_field import interpolation, normalise
from tomarium.kernels.invalid import RINGS


@pytest.fixture(params=["reference", "v4", "v3", "plain"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "reference":
        return "reference"
    try:
        if request.param not in extension().levels():
            pytest.skip(f"this processor has no level {request.param}")
    except EngineUnavailable as error:
        pytest.skip(str(error))
    monkeypatch.setenv(VARIABLE, request.param)
    return "native"


def scan(seed: int, dtype: type, shape: tuple[int, int, int] = (7, 5, 19)):  # type: ignore[no-untyped-def]
    random = np.random.default_rng(seed)
    dark = random.normal(100, 3, shape[1:]).astype(np.float32)
    flats = random.normal(20000, 500, (3, *shape[1:])).astype(np.float32)
    counts = random.integers(90, 250 if dtype is np.uint8 else 25000, shape).astype(dtype)
    return counts, dark, flats, [0.0, 2.5, 6.0], np.arange(float(shape[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32, np.float64])
@pytest.mark.parametrize("log", [True, False])
def test_twins_agree(engine: str, dtype: type, log: bool) -> None:
    arguments = scan(1, dtype)
    expected, report = normalise(*arguments, log=log, engine="reference")
    found, other = normalise(*arguments, log=log, engine=engine)  # type: ignore[arg-type]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=2e-7)
    assert report == other


def test_logarithm_is_exact_to_1e_6(engine: str) -> None:
    transmission = np.exp(-np.linspace(-3, 13.8, 20011)).astype(np.float32).reshape(1, 1, -1)
    dark, flats = np.zeros((1, 20011)), np.ones((1, 1, 20011))
    found, _ = normalise(transmission, dark, flats, [0], [0], lowest_counts=0, engine=engine)  # type: ignore[arg-type]
    assert abs(found - -np.log(transmission.astype(np.float64))).max() < 1e-6


def test_logarithm_is_exact_to_a_unit_in_the_last_place(engine: str) -> None:
    bits = np.arange(0x36000000, 0x41800000, 7919, dtype=np.uint32)  # 2^-19 to 2^4
    transmission = bits.view(np.float32).reshape(1, 1, -1)
    nothing, one = np.zeros(transmission.shape[1:]), np.ones(transmission.shape)
    found, _ = normalise(transmission, nothing, one, [0], [0], lowest_counts=0, engine=engine)  # type: ignore[arg-type]
    expected = -np.log(transmission.astype(np.float64))
    assert (abs(found - expected) < np.spacing(abs(expected).astype(np.float32))).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_value_is_the_same_in_any_slab(engine: str, dtype: type) -> None:
    """A large stack is written past the caches, in other groups of lines than a part of it."""
    counts, dark, flats, at, when = scan(2, dtype, (40, 30, 1001))
    counts[:, 3, 50:400] = 90  # clipped
    flats[:, 7, 100] = 0  # dead
    whole, report = normalise(counts, dark, flats, at, when, engine=engine)  # type: ignore[arg-type]
    assert report.clipped >= 40 * 350
    for rows in (slice(0, 8), slice(3, 4), slice(7, 30)):
        part, _ = normalise(
            counts[:, rows], dark[rows], flats[:, rows], at, when, engine=engine, threads=1  # type: ignore[arg-type]
        )  # fmt: skip
        kept = np.delete(
            np.arange(rows.start, rows.stop), np.flatnonzero(np.arange(rows.start, rows.stop) == 7)
        )
        np.testing.assert_array_equal(part[:, kept - rows.start], whole[:, kept])


def test_flat_field_is_interpolated_between_groups(engine: str) -> None:
    counts = np.full((5, 2, 3), 100, np.uint16)
    flats = np.stack([np.full((2, 3), 100.0), np.full((2, 3), 200.0)])
    found, _ = normalise(
        counts, np.zeros((2, 3)), flats, [10, 20], [5, 10, 15, 20, 25], log=False, engine=engine  # type: ignore[arg-type]
    )  # fmt: skip
    np.testing.assert_allclose(found[:, 0, 0], [1, 1, 100 / 150, 0.5, 0.5], rtol=1e-6)


def test_position_that_hits_a_group_takes_that_group_alone() -> None:
    lower, fraction = interpolation([0, 1, 2], [0, 1, 2], 3, 3)
    np.testing.assert_array_equal(lower, [0, 1, 2])
    np.testing.assert_array_equal(fraction, 0)


def test_no_light_is_taken_for_half_a_count_and_too_much_is_kept(engine: str) -> None:
    counts = np.array([[[100, 90, 101, 30000, 100]]], np.float32)
    dark, flats = np.full((1, 5), 100.0), np.array([[[1100.0, 1100, 1100, 1100, 1e9]]])
    found, report = normalise(counts, dark, flats, [0], [0], log=False, engine=engine)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[0, 0], [0.0005, 0.0005, 0.001, 29.9, 1e-6], rtol=1e-5)
    assert (report.values, report.clipped, report.dead, report.not_finite) == (5, 3, 0, 0)


def test_dead_pixels_take_the_median_of_their_valid_neighbours(engine: str) -> None:
    counts = np.arange(1.0, 31.0).reshape(1, 5, 6).astype(np.float32) + 1000
    dark, flats = np.zeros((5, 6)), np.full((1, 5, 6), 2000.0)
    dead = [(0, 0), (2, 2), (2, 3), (4, 5)]
    for row, column in dead:
        flats[0, row, column] = 0
    flats[0, 4, 5] = np.nan
    found, report = normalise(counts, dark, flats, [0], [0], log=False, engine=engine)  # type: ignore[arg-type]
    plain = counts[0] / 2000
    assert found[0, 0, 0] == pytest.approx(np.median([plain[0, 1], plain[1, 0], plain[1, 1]]))
    around = [plain[i, j] for i in (1, 2, 3) for j in (1, 2, 3) if (i, j) not in dead]
    assert found[0, 2, 2] == pytest.approx(np.median(around))
    assert found[0, 4, 5] == pytest.approx(np.median([plain[3, 4], plain[3, 5], plain[4, 4]]))
    alive = np.ones((5, 6), bool)
    alive[tuple(np.transpose(dead))] = False
    np.testing.assert_allclose(found[0][alive], plain[alive], rtol=1e-6)
    assert report.dead == 4


def test_hole_is_filled_ring_by_ring_and_an_empty_row_is_transparent(engine: str) -> None:
    counts = np.full((3, 40, 40), 500, np.float32)
    counts[0, 5:10, 5:10] = np.nan
    counts[1, :35] = np.inf
    counts[2] = np.nan
    found, report = normalise(
        counts, np.zeros((40, 40)), np.full((1, 40, 40), 1000.0), [0], [0, 1, 2], engine=engine
    )  # type: ignore[arg-type]
    np.testing.assert_allclose(found[0], np.log(2), rtol=1e-6)
    np.testing.assert_allclose(found[1, 35 - 8 :], np.log(2), rtol=1e-6)
    assert (found[1, : 35 - 8] == 0).all()
    assert (found[2] == 0).all()
    assert (report.not_finite, report.empty_rows) == (25 + 35 * 40 + 1600, 27 + 40)


def test_what_is_filled_depends_on_no_row_further_than_the_halo(engine: str) -> None:
    counts = np.random.default_rng(4).uniform(400, 600, (2, 60, 40)).astype(np.float32)
    counts[0, 20:45, 3:30] = np.nan  # a hole larger than its rings
    counts[1, 26:29] = np.nan
    plain = np.zeros((60, 40)), np.full((1, 60, 40), 1000.0), [0], [0, 1]
    whole, _ = normalise(counts, *plain, engine=engine)  # type: ignore[arg-type]
    for row in range(RINGS, 60 - RINGS):
        part = slice(row - RINGS, row + RINGS + 1)
        near, _ = normalise(counts[:, part], plain[0][part], plain[1][:, part], [0], [0, 1], engine=engine)  # type: ignore[arg-type]
        np.testing.assert_array_equal(near[:, RINGS], whole[:, row])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 9), st.integers(1, 40))
def test_nothing_that_is_not_finite_ever_leaves(seed: int, angles: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    odd = np.array(
        [0, -1, 1e-30, -1e-30, 1e30, 3e38, -3e38, np.nan, np.inf, -np.inf, 5, 1000, 40], np.float32
    )
    counts = random.choice(odd, (angles, rows, columns))
    dark, flats = random.choice(odd, (rows, columns)), random.choice(odd, (2, rows, columns))
    for engine in ("auto", "reference"):
        for log in (True, False):
            found, _ = normalise(counts, dark, flats, [0, 3], np.arange(angles), log=log, engine=engine)  # type: ignore[arg-type]
            assert np.isfinite(found).all()


def test_wrong_input_is_refused() -> None:
    counts, dark, flats, at, when = scan(0, np.uint16)
    with pytest.raises(InputError, match="shape"):
        normalise(counts, dark[:-1], flats, at, when)
    with pytest.raises(InputError, match="no flat field"):
        normalise(counts, dark, flats[:0], [], when)
    with pytest.raises(InputError, match="one position for each"):
        normalise(counts, dark, flats, at[:2], when)
    with pytest.raises(InputError, match="increase"):
        normalise(counts, dark, flats, [0, 0, 1], when)
    with pytest.raises(InputError, match="finite"):
        normalise(counts, dark, flats, at, when * np.nan)
    with pytest.raises(ParameterError, match="lowest_counts"):
        normalise(counts, dark, flats, at, when, lowest_counts=-1)
    with pytest.raises(ParameterError, match="engine"):
        normalise(counts, dark, flats, at, when, engine="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out is"):
        normalise(counts, dark, flats, at, when, out=np.zeros(counts.shape))  # type: ignore[arg-type]
