"""Filtered backprojection: every engine against the oracle, analytic objects and its own symmetries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable, InputError, ParameterError
from tomarium.kernels.backprojection import reference
from tomarium.kernels.backprojection.geometry import make_task
from tomarium.kernels.engines import engines
from tomarium.kernels.fbp import fbp
from tomarium.kernels.flat_field import normalise
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.kernels.ramp import Window
from tomarium.kernels.reference_fields import reduce_references

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ellipse:
    """In pixels from the axis, x to the right and y up; half axes; turn in radians; attenuation per pixel."""

    x: float
    y: float
    a: float
    b: float
    turn: float
    value: float


def phantom(size: int) -> tuple[Ellipse, ...]:
    r = size / 2
    return (
        Ellipse(0, 0, 0.85 * r, 0.8 * r, 0.2, 1.0),
        Ellipse(0.3 * r, 0.2 * r, 0.2 * r, 0.12 * r, 0.5, 0.3),
        Ellipse(-0.3 * r, -0.25 * r, 0.15 * r, 0.2 * r, 1.0, -0.4),
        Ellipse(0.1 * r, -0.4 * r, 0.08 * r, 0.08 * r, 0.0, 0.2),
        Ellipse(-0.2 * r, 0.35 * r, 0.1 * r, 0.05 * r, 2.0, 0.25),
    )


def project(ellipses: tuple[Ellipse, ...], angles_deg: Array, columns: int, axis: float) -> Array:
    """Chord lengths averaged over each pixel's width, exactly: the integral of 2 ab sqrt(r^2 - s^2) / r^2."""
    t = np.deg2rad(angles_deg)[:, None]
    edges = np.arange(columns + 1)[None] - 0.5 - axis
    total = np.zeros((len(angles_deg), columns))
    for e in ellipses:
        r = np.hypot(e.a * np.cos(t - e.turn), e.b * np.sin(t - e.turn))
        s = np.clip((edges - e.x * np.cos(t) - e.y * np.sin(t)) / r, -1, 1)
        total += np.diff(e.value * e.a * e.b * (s * np.sqrt(1 - s**2) + np.arcsin(s)), axis=1)
    return total


def picture(ellipses: tuple[Ellipse, ...], size: int, fine: int = 4) -> tuple[Array, Array]:
    """Pixel averages of the object, and roughly how far the nearest edge is, in pixels."""
    middle = (size - 1) / 2
    x, y = np.arange(size)[None] - middle, middle - np.arange(size)[:, None]
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    image, distance = np.zeros((size, size)), np.full((size, size), np.inf)
    for e in ellipses:
        for dx in steps:
            for dy in steps:
                image += e.value / fine**2 * (_radius(e, x + dx, y + dy) <= 1)
        distance = np.minimum(distance, abs(_radius(e, x, y) - 1) * min(e.a, e.b))
    return image, distance


def _radius(e: Ellipse, x: Array, y: Array) -> Array:
    c, s = np.cos(e.turn), np.sin(e.turn)
    return np.hypot(((x - e.x) * c + (y - e.y) * s) / e.a, ((y - e.y) * c - (x - e.x) * s) / e.b)


def levels() -> list[str]:
    try:
        return list(extension().levels())
    except EngineUnavailable:
        return []


COMPILED = [f"{engine}-{level}" for engine in ("native", "direct") for level in ("v4", "v3", "plain")]


@pytest.fixture(params=[*COMPILED, "nufft"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every twin of the reference, at every instruction-set level this processor has."""
    name, _, level = request.param.partition("-")
    if level:
        if level not in levels():
            pytest.skip(f"this machine does not run the compiled kernels at level {level}")
        monkeypatch.setenv(VARIABLE, level)
    return name


@pytest.fixture(params=["native", "direct", "nufft"])
def one_engine(request: pytest.FixtureRequest) -> str:
    if request.param != "nufft" and not levels():
        pytest.skip("the compiled kernels are not there")
    return str(request.param)


def half_turn(count: int) -> Array:
    return np.arange(count) * 180.0 / count


# (columns, angles, rows, axis, size, padding, window): odd and even, several batches, axis off centre and off
# the detector, images larger and smaller than the detector.
CASES = [
    (96, 150, 3, 47.5, 96, "zero", "ramp"),
    (97, 150, 17, 48.3, 97, "edge", "hann"),
    (96, 151, 2, 20.25, 150, "zero", "ramp"),
    (75, 120, 1, 37.0, 40, "edge", "shepp-logan"),
    (64, 100, 4, -20.0, 90, "zero", "parzen"),
    (64, 100, 1, 83.5, 91, "zero", "ramp"),
    (128, 3, 1, 63.5, 128, "zero", "cosine"),
    (5, 7, 2, 2.0, 5, "zero", "ramp"),
    (1, 4, 1, 0.0, 3, "zero", "ramp"),
]


@cache
def reconstructed(case: tuple[int, int, int, float, int, str, str], engine: str) -> NDArray[np.float32]:
    """A case of those above, by one engine; that of the reference is made once for all its twins."""
    columns, count, rows, axis, size, padding, window = case
    angles = half_turn(count)
    factors = np.linspace(1, 2, rows)[None, :, None]
    sinogram = (project(phantom(columns), angles, columns, axis)[:, None] * factors).astype(np.float32)
    return fbp(sinogram, angles, axis, engine=engine, padding=padding, window=window, size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_engine_equals_reference(engine: str, case: tuple[int, int, int, float, int, str, str]) -> None:
    rows, size = case[2], case[4]
    expected = reconstructed(case, "reference")
    found = reconstructed.__wrapped__(case, engine)
    scale = max(1.0, float(abs(expected).max()))
    # direct reads four samples a pixel linearly: 1/49 of what lies at the Nyquist frequency is misplaced,
    # which shows where the detector's edge cuts the object
    limit = 12e-3 if engine == "direct" else 2e-3
    assert found.shape == (rows, size, size)
    assert abs(found - expected).max() < limit * scale
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.4 * limit * scale


@cache
def reconstructed_noise(seed: int, engine: str) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(size=(60, 2, 65)).astype(np.float32)
    return fbp(noise, half_turn(60), 30.7, engine=engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_engines_agree_on_noise(engine: str, seed: int) -> None:
    expected, found = reconstructed_noise(seed, "reference"), reconstructed_noise.__wrapped__(seed, engine)
    relative = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    assert relative < (0.02 if engine == "direct" else 2e-3)


def test_dot_lies_right_of_and_above_the_axis(engine: str) -> None:
    angles = half_turn(90)
    dot = project((Ellipse(12, 7, 1.5, 1.5, 0, 1.0),), angles, 65, 32.0)
    image = fbp(dot, angles, 32.0, engine=engine)
    assert np.unravel_index(image.argmax(), image.shape) == (32 - 7, 32 + 12)


def test_even_image_has_the_axis_between_its_pixels(engine: str) -> None:
    angles = half_turn(120)
    image = fbp(project((Ellipse(0, 0, 6, 6, 0, 1.0),), angles, 64, 31.5), angles, 31.5, engine=engine)
    np.testing.assert_allclose(image, image[::-1], atol=3e-4)
    np.testing.assert_allclose(image, image[:, ::-1], atol=3e-4)


def test_disc_keeps_its_value(engine: str) -> None:
    angles = half_turn(400)
    disc = (Ellipse(0, 0, 100, 100, 0, 0.02),)
    image = fbp(project(disc, angles, 256, 127.5), angles, 127.5, engine=engine, pixel_m=1e-6)
    _, distance = picture(disc, 256)
    y, x = np.indices(image.shape) - 127.5
    inside = (np.hypot(x, y) < 100) & (distance > 5)
    outside = (np.hypot(x, y) < 127) & (np.hypot(x, y) > 105)
    assert image[inside].mean() == pytest.approx(0.02 / 1e-4, rel=1e-3)  # 1/cm: a pixel is 1e-4 cm
    assert abs(image[outside].mean()) < 1e-3 * 200
    assert (image[np.hypot(x, y) > 128] == 0).all()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(20, 60),
    st.integers(3, 40),
    st.floats(-2, 2),
    st.sampled_from(["native", "direct", "nufft"]),
)
def test_linear_and_turning_and_shifting(
    seed: int, columns: int, count: int, factor: float, name: str
) -> None:
    if name != "nufft" and not levels():
        name = "nufft"
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, count, columns)).astype(np.float32)
    angles, axis = random.uniform(0, 360, count), random.uniform(0.3, 0.7) * columns
    image = fbp(a, angles, axis, engine=name, padding="zero")
    scale = np.sqrt(np.mean(image**2)) + 1e-3
    other = fbp(b, angles, axis, engine=name, padding="zero")
    both = fbp(a + np.float32(factor) * b, angles, axis, engine=name, padding="zero")
    assert abs(both - image - np.float32(factor) * other).max() < 1e-4 * scale * (1 + abs(factor))
    # Had every projection been taken at an angle 90 degrees less, the object would be turned clockwise.
    turned = fbp(a, angles - 90, axis, engine=name, padding="zero")
    assert abs(turned - np.rot90(image, -1)).max() < 5e-3 * scale
    # A wider detector pads further, so its band-limited interpolation is another one at the Nyquist
    # frequency, where "hann" leaves nothing.
    smooth = fbp(a, angles, axis, engine=name, padding="zero", window="hann")
    wider = np.pad(a, ((0, 0), (7, 4)))
    moved = fbp(wider, angles, axis + 7, engine=name, padding="zero", size=columns, window="hann")
    assert abs(moved - smooth).max() < 0.01 * scale


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_region_is_the_crop(data: st.DataObject) -> None:
    size, rows = data.draw(st.integers(5, 90)), data.draw(st.integers(1, 18))
    y0, x0 = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    y1, x1 = data.draw(st.integers(y0 + 1, size)), data.draw(st.integers(x0 + 1, size))
    name = data.draw(st.sampled_from(["native", "direct", "nufft"] if levels() else ["nufft"]))
    sinogram = np.random.default_rng(size).normal(size=(30, rows, 48)).astype(np.float32)
    whole = fbp(sinogram, half_turn(30), 23.0, engine=name, size=size)
    part = fbp(sinogram, half_turn(30), 23.0, engine=name, size=size, region=(y0, y1, x0, x1))
    if name == "nufft":
        np.testing.assert_allclose(part, whole[:, y0:y1, x0:x1], atol=1e-5)
    else:
        np.testing.assert_array_equal(part, whole[:, y0:y1, x0:x1])


def test_slice_does_not_depend_on_its_company(one_engine: str) -> None:
    sinogram = np.random.default_rng(1).normal(size=(50, 19, 40)).astype(np.float32)
    together = fbp(sinogram, half_turn(50), 19.5, engine=one_engine)
    for row in (0, 5, 16, 18):
        alone = fbp(sinogram[:, row], half_turn(50), 19.5, engine=one_engine)
        # two slices share a complex number, which leaks one rounding error of its partner
        np.testing.assert_allclose(together[row], alone, atol=2e-5)


def test_number_of_threads_changes_nothing(one_engine: str) -> None:
    sinogram = np.random.default_rng(2).normal(size=(70, 3, 100)).astype(np.float32)
    one = fbp(sinogram, half_turn(70), 49.5, engine=one_engine, threads=1)
    three = fbp(sinogram, half_turn(70), 49.5, engine=one_engine, threads=3)
    if one_engine == "nufft":
        np.testing.assert_allclose(one, three, atol=1e-5)
    else:
        np.testing.assert_array_equal(one, three)


def test_order_turns_and_repeats_of_the_angles_do_not_matter(one_engine: str) -> None:
    ellipses, angles = phantom(80), half_turn(120)
    expected = fbp(project(ellipses, angles, 80, 39.5), angles, 39.5, engine=one_engine)
    full = np.concatenate([angles, angles + 180, angles[:7], [180.0, 360.0]])
    full = np.random.default_rng(0).permutation(full)
    found = fbp(project(ellipses, full, 80, 39.5), full, 39.5, engine=one_engine)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_strided_and_other_types_are_accepted(one_engine: str) -> None:
    sinogram = np.random.default_rng(3).integers(0, 9, (40, 6, 64))
    real = sinogram.astype(np.float32)
    expected = fbp(real, half_turn(40), 31.5, engine=one_engine)
    row_first = np.ascontiguousarray(real.transpose(1, 0, 2)).transpose(1, 0, 2)
    for other in (sinogram, sinogram.astype(np.uint16), row_first, np.asfortranarray(real)):
        found = fbp(other, half_turn(40), 31.5, engine=one_engine)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    out = np.full((6, 64, 64), np.nan, np.float32)
    assert np.shares_memory(fbp(real, half_turn(40), 31.5, engine=one_engine, out=out), out)
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_named(one_engine: str, bad: float) -> None:
    sinogram = np.zeros((20, 18, 33), np.float32)
    sinogram[3, 17, 32] = bad
    with pytest.raises(InputError, match=r"\(3, 17, 32\)"):
        fbp(sinogram, half_turn(20), 16.0, engine=one_engine)


GOOD = np.zeros((10, 2, 16), np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD[0, 0], half_turn(10), 7.5), "shape"),
        ((GOOD[:, :, :0], half_turn(10), 7.5), "empty"),
        ((GOOD.astype(complex), half_turn(10), 7.5), "complex64|complex128"),
        ((GOOD, half_turn(9), 7.5), "10 projections"),
        ((GOOD[:0], half_turn(1)[:0], 7.5), "no projection"),
        ((GOOD, np.where(np.arange(10) == 4, np.nan, 0.0), 7.5), r"angles_deg\[4\]"),
        ((GOOD, half_turn(10), np.nan), "axis_column"),
        ((GOOD, half_turn(10), -17.0), "axis_column"),
        ((GOOD, half_turn(10), 40.0), "axis_column"),
    ],
)
def test_input_that_does_not_fit_is_refused(arguments: tuple[Array, Array, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fbp(*arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"region": (0, 17, 0, 4)},
        {"region": (4, 4, 0, 4)},
        {"threads": 0},
        {"pixel_m": 0.0},
        {"window": "boxcar"},
        {"cutoff": 0.0},
        {"cutoff": 1.1},
        {"padding": "mirror"},
        {"engine": "gridrec"},
    ],
    ids=str,
)
def test_parameter_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        fbp(GOOD, half_turn(10), 7.5, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "out", [np.zeros((2, 16, 16)), np.zeros((16, 16), np.float32)], ids=["dtype", "shape"]
)
def test_out_that_does_not_fit_is_refused(out: NDArray[np.float32]) -> None:
    with pytest.raises(InputError, match="out is"):
        fbp(GOOD, half_turn(10), 7.5, out=out)


def test_default_engine_is_as_accurate_as_direct_backprojection_in_double_precision() -> None:
    """The size the project promises: 1024 columns, 900 projections; the object's value is 1."""
    size, count = 1024, 900
    angles, middle, band = half_turn(count), (size - 1) / 2, slice(480, 544)
    region = (band.start, band.stop, 0, size)
    ellipses = phantom(size)
    sinogram = project(ellipses, angles, size, middle)
    truth, distance = (a[band] for a in picture(ellipses, size))
    inside, edges = (distance > 5) & (truth > 0.05), (distance <= 5)

    plain = np.zeros((1, 64, size))
    task = make_task(angles, size, middle, size, region, "ramp", 1.0, "zero", 1.0, 1)
    reference.backproject(sinogram[:, None], task, plain, oversampling=1)
    error = {
        "default": fbp(sinogram, angles, middle)[band] - truth,
        "band-limited": fbp(sinogram, angles, middle, engine="reference", region=region) - truth,
        "shepp-logan": fbp(sinogram, angles, middle, window="shepp-logan")[band] - truth,
        "linear": plain[0] - truth,
    }
    rmse = {name: float(np.sqrt(np.mean(e[inside] ** 2))) for name, e in error.items()}
    bias = {name: float(e[inside].mean()) for name, e in error.items()}
    # Its shorter period changes what is at the Nyquist frequency: 2 % less error here, as it happens.
    assert 0.95 * rmse["band-limited"] < rmse["default"] < 1.02 * rmse["band-limited"]
    # No speed is bought with wrong edges.
    edge = {name: float(np.sqrt(np.mean(e[edges] ** 2))) for name, e in error.items()}
    assert edge["default"] <= 1.05 * edge["band-limited"]
    # The gridding kernel's aliasing: 3e-5 with the short period, 1e-5 with the long, 1e-6 on a grid of twice the size.
    assert abs(bias["default"] - bias["band-limited"]) < 5e-5
    assert abs(bias["default"]) < 1e-3
    # Linear interpolation between the detector's pixels is a window as well, and not a good one: with
    # "shepp-logan" both the flat parts and the edges are closer to the truth.
    assert rmse["shepp-logan"] < rmse["linear"]
    assert np.mean(error["shepp-logan"][edges] ** 2) < np.mean(error["linear"][edges] ** 2)
    assert abs(bias["shepp-logan"]) < 1e-3


def test_real_tooth_comes_out_the_same_by_every_engine(shared: Callable[[str], Path], engine: str) -> None:
    with h5py.File(shared("dx/tooth.h5")) as file:
        exchange = file["exchange"]
        counts, angles = exchange["data"][:, :1], exchange["theta"][:]
        dark = reduce_references(exchange["data_dark"][:, :1], "dark")
        flat = reduce_references(exchange["data_white"][:, :1], "flat")
    sinogram, report = normalise(counts, dark, flat[None], [0.0], np.zeros(len(counts)))
    assert report.clipped < 1e-3 * report.values
    region = (200, 440, 300, 340)
    expected = fbp(sinogram, angles, 295.8, engine="reference", region=region)
    found = fbp(sinogram, angles, 295.8, engine=engine, region=region)
    assert np.percentile(expected, 99) > 0.008  # enamel, per pixel
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.005 * expected.std()


@pytest.mark.parametrize("wrong", [{"padding": "mirror"}, {"window": "boxcar"}, {"cutoff": 2.0}], ids=str)
def test_filter_that_does_not_exist_is_refused_by_every_engine(
    one_engine: str, wrong: dict[str, object]
) -> None:
    with pytest.raises(ParameterError):
        fbp(GOOD, half_turn(10), 7.5, engine=one_engine, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["native", "direct", "nufft"])
def test_every_engine_is_within_a_thousandth_of_the_reference(name: str) -> None:
    if not engines()[name].available:
        pytest.skip(f"engine {name} is not there")
    draw = np.random.default_rng(0)
    size, angles = 201, np.arange(300) * 0.6
    things = [Ellipsoid((0, 3, -5), (1e6, 70, 60), 1.0)]
    for _ in range(8):
        radii = draw.uniform(2, 20, 2)
        things.append(Ellipsoid((0, *draw.uniform(-50, 50, 2)), (1e6, *radii), draw.choice([-0.5, 0.5, 2])))
    made = line_integrals(things, angles, np.zeros(1), np.arange(size) - 100.0)[:, 0].astype(np.float32)
    expected = fbp(made, angles, 100.3, engine="reference")
    found = fbp(made, angles, 100.3, engine=name)
    assert abs(found - expected).max() < 1e-3 * np.ptp(expected)


@pytest.mark.parametrize(("count", "columns"), [(5, 120), (19, 121), (16, 640)])
def test_each_row_may_have_its_own_axis(one_engine: str, count: int, columns: int) -> None:
    """One row many times, about other axes: each as it is by itself."""
    angles = half_turn(40)
    middle = (columns - 1) / 2
    axes = middle + np.linspace(-6.3, 5.2, count)
    row = project(phantom(columns), angles, columns, middle).astype(np.float32)
    copies = np.broadcast_to(row[:, None], (len(angles), count, columns))
    region = (columns // 2 - 8, columns // 2 + 8, 0, columns)
    windows: tuple[Window, ...] = ("hann", "shepp-logan", "ramp")
    for window in windows:
        made = fbp(copies, angles, middle, row_axes=axes, engine=one_engine, region=region, window=window)
        for image, axis in zip(made, axes, strict=True):
            alone = fbp(row, angles, axis, engine=one_engine, region=region, window=window)
            assert np.abs(image - alone).max() < 5e-4


def test_axes_of_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="one axis for each of the"):
        fbp(GOOD, half_turn(len(GOOD)), 7.5, row_axes=[1.0, 2.0, 3.0])
    with pytest.raises(ParameterError, match="half a turn"):
        fbp(GOOD, half_turn(len(GOOD)), 7.5, row_axes=[7.0, 8.0], turn_deg=360.0)
    with pytest.raises(InputError, match="axis_column is nan"):
        fbp(GOOD, half_turn(len(GOOD)), 7.5, row_axes=[7.0, float("nan")])
