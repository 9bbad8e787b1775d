"""An image to align keeps the places of its pixels: offsets, order of axes, and axes that run backwards."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium.errors import InputError, MissingData
from tomarium.model import Axis, Volume
from tomarium.model import Image as AnyImage
from tomarium.specimen.image import image_of, image_of_array, read_image


def test_a_volume_lies_where_its_axes_say() -> None:
    axes = (Axis("z", 3e-6, 5e-6, "m"), Axis("y", 2e-6, 0, "m"), Axis("x", 1e-6, -1e-6, "m"))
    made = image_of(Volume(np.zeros((4, 5, 6), np.float32), axes))
    assert made.voxel_m == (3e-6, 2e-6, 1e-6)
    assert made.first_m == (-1e-6, 0, 5e-6)
    assert made.centre_m == pytest.approx((1.5e-6, 4e-6, 9.5e-6))
    assert made.handedness == "right"


def test_an_axis_that_runs_backwards_keeps_the_place_of_every_pixel() -> None:
    data = np.arange(12.0).reshape(3, 4)
    made = image_of(AnyImage(data, (Axis("y", -2e-6, 10e-6, "m"), Axis("x", 1e-6, 0, "m"))))
    # row 0 lies at 10 µm, row 2 at 6 µm, which now comes first
    assert made.first_m[1] == pytest.approx(6e-6)
    assert np.array_equal(made.array[0], data[::-1])
    assert made.voxel_m[1] == 2e-6


def test_axes_that_are_no_lengths_are_summed_and_it_is_said() -> None:
    data = np.ones((5, 4, 3))
    made = image_of(
        AnyImage(data, (Axis("x", 1e-6, 0, "m"), Axis("y", 1e-6, 0, "m"), Axis("energy", 0.01, 0, "keV")))
    )
    assert made.array.shape == (1, 4, 5)
    assert (made.array == 3).all()
    assert any("3 of energy" in note for note in made.notes)


def test_a_picture_without_a_scale_is_refused_until_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "map.tif"
    tifffile.imwrite(file, np.arange(64, dtype=np.uint8).reshape(8, 8))
    with pytest.raises(MissingData, match="pixel size"):
        read_image(file)
    assert read_image(file, pixel_m="2 um").voxel_m[1:] == pytest.approx((2e-6, 2e-6))


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        image_of_array(np.zeros((2, 2, 2, 2)), 1e-6)
    with pytest.raises(InputError, match="above 0"):
        image_of_array(np.zeros((8, 8)), -1e-6)
    uneven = AnyImage(np.zeros((3, 3)), (Axis("y", 1e-6, 0, "m"), Axis("x", 1e-6, 0, "m", (0.0, 1e-6, 3e-6))))
    with pytest.raises(InputError, match="not equally spaced"):
        image_of(uneven)
