"""Pictures of arrays: greys are right, odd values are drawn, nonsense is refused."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from tomarium.errors import InputError
from tomarium.viewers import picture
from tomarium.viewers.picture import png, robust_window
from tomarium.viewers.scale_bar import scale_bar


def grey(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Pillow.open(BytesIO(content)))


@pytest.mark.parametrize("shape", [(64, 64), (31, 50), (3, 1, 7), (2, 40, 9), (500, 400)])
def test_the_window_counts_what_a_mask_of_the_ellipse_takes(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(3, 1, shape).astype(np.float32)
    values.flat[::5] = np.nan
    y, x = ((np.arange(side) - (side - 1) / 2) / (side / 2) for side in shape[-2:])
    inside = values[..., y[:, None] ** 2 + x**2 <= 1]
    expected = np.nanpercentile(inside.astype(np.float64), (0.5, 99.5))
    np.testing.assert_allclose(robust_window(values), expected, rtol=1e-6)


def test_a_picture_of_many_rows_is_read_as_it_was_packed() -> None:
    across, noise = np.mgrid[:600, :50][1], np.random.default_rng(0).integers(0, 256, (600, 50))
    image = np.where(np.arange(600)[:, None] % 3 == 0, noise, across).astype(np.uint8)
    picture = Pillow.open(BytesIO(png(image, window=(0, 255))))
    picture.verify()  # the checksums
    assert (picture.mode, picture.size) == ("L", (50, 600))
    assert np.array_equal(grey(png(image, window=(0, 255))), image)


def test_window_is_drawn_from_black_to_white() -> None:
    image = np.array([[-5.0, 0.0, 0.5, 1.0, 7.0]])
    assert grey(png(image, window=(0.0, 1.0))).tolist() == [[0, 0, 128, 255, 255]]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32, np.float64, np.bool_])
def test_every_real_type_is_drawn(kind: type) -> None:
    image = np.arange(12).reshape(3, 4).astype(kind)
    assert grey(png(image)).shape == (3, 4)


def test_nan_is_black_and_infinity_is_clipped() -> None:
    image = np.array([[np.nan, -np.inf, np.inf]])
    assert grey(png(image, window=(0, 1))).tolist() == [[0, 0, 255]]


@given(st.floats(-1e30, 1e30), st.integers(1, 9), st.integers(1, 9))
def test_constant_image_has_a_window(value: float, rows: int, columns: int) -> None:
    low, high = robust_window(np.full((rows, columns), value))
    assert low < high
    png(np.full((rows, columns), value))


def test_window_ignores_what_lies_outside_the_inscribed_cylinder() -> None:
    draw = np.random.default_rng(3)
    volume = draw.uniform(1.0, 2.0, (4, 60, 60))
    y, x = np.mgrid[-1:1:60j, -1:1:60j]
    volume[:, np.hypot(y, x) > 1.02] = 1e6
    low, high = robust_window(volume)
    assert 0.99 < low < 1.05
    assert 1.95 < high < 2.01


def test_window_of_nothing_finite_is_some_window() -> None:
    assert robust_window(np.full((3, 3), np.nan)) == (0.0, 1.0)


@pytest.mark.parametrize("fonts", [picture.FONTS, ()])
def test_scale_bar_has_its_length(fonts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "FONTS", fonts)
    picture.font.cache_clear()
    drawn = grey(png(np.zeros((400, 500)), window=(0, 1), scale_m=0.65e-6, title="Zahn Nº 3, 10 µm"))
    picture.font.cache_clear()
    longest = max(len(run) for row in drawn for run in "".join("x" if p == 255 else " " for p in row).split())
    assert abs(longest - scale_bar(500 * 0.65e-6)[1] * 500) <= 2


@pytest.mark.parametrize("width", [24, 40, 64, 90])
def test_the_text_of_a_scale_bar_stays_in_a_small_picture(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, float, float]] = []
    write = picture._write

    def note(image: Any, text: str, place: tuple[float, float], size: float, anchor: str) -> None:
        written.append((text, place[0], size))
        write(image, text, place, size, anchor)

    monkeypatch.setattr(picture, "_write", note)
    png(np.full((width, width), 0.5), window=(0, 1), scale_m=2.3e-6)
    ((text, middle, size),) = written
    half = picture.font(size)[0].getlength(text) / 2
    assert middle - half >= 0
    assert middle + half <= width


@pytest.mark.parametrize(
    "image",
    [np.zeros(4), np.zeros((2, 2, 2)), np.zeros((0, 3)), np.zeros((2, 2), complex), np.array([["a"]])],
)
def test_what_is_no_image_is_refused(image: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="give two axes"):
        png(image)


@pytest.mark.parametrize("window", [(1.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_empty_window_is_refused(window: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="window"):
        png(np.zeros((2, 2)), window=window)
