"""A point in other images: position, pixel, sigma, inside or outside."""

from __future__ import annotations

import numpy as np
import pytest

from specimen_links import A, B, C, covariance_of, link, matrix_of, plane, volume
from tomarium.errors import InputError
from tomarium.model import Axis
from tomarium.specimen.image_frame import frame_of_axes, read_point
from tomarium.specimen.pose import disturbed, pose_of
from tomarium.specimen.where import Found, Unknown, found_json, where, with_sigma


def only(found: list[Found | Unknown]) -> Found:
    (one,) = found
    assert isinstance(one, Found)
    return one


def test_a_pixel_goes_there_and_comes_back() -> None:
    axes = (Axis("z", 2e-6, 1e-3, "m"), Axis("y", -1e-6, 0.0, "m"), Axis("x", 1e-6, -5e-5, "m"))
    image = frame_of_axes(A, "a", axes, (20, 50, 100))
    assert image is not None
    assert image.shape == (100, 50, 20)
    np.testing.assert_allclose(image.point_of((10, 20, 3)), (-4e-5, -2e-5, 1.006e-3))
    np.testing.assert_allclose(image.pixel_of(image.point_of((10, 20, 3))), (10, 20, 3))
    low, high = image.box_m
    np.testing.assert_allclose(low, (-5.05e-5, -4.95e-5, 0.999e-3))
    np.testing.assert_allclose(high - low, (1e-4, 5e-5, 4e-5))
    assert frame_of_axes(A, "a", (Axis("y"), Axis("x")), (4, 5)) is None


def test_known_pose() -> None:
    matrix = np.array([[0, -1, 0, 1e-3], [1, 0, 0, 0], [0, 0, 1, 5e-4], [0, 0, 0, 1]], float)
    found = only(where([link(A, B, matrix)], [volume(B)], A, (2e-4, 3e-4, 1e-4)))
    np.testing.assert_allclose(found.position_m, (7e-4, 2e-4, 6e-4))
    np.testing.assert_allclose(found.pixel, (70, 20, 60))
    assert found.state == "inside"
    assert found.resolved.frames == (A, B)


def test_inside_outside_and_at_the_edge() -> None:
    images, links = [volume(B)], [link(A, B, covariance=np.diag([0.0] * 3 + [1e-5] * 3) ** 2)]
    middle, edge, out = (5e-4,) * 3, (1e-5, 5e-4, 5e-4), (-1e-4, 5e-4, 5e-4)
    assert [only(where(links, images, A, at)).state for at in (middle, edge, out)] == [
        "inside", "at the edge", "outside",
    ]  # fmt: skip
    assert "95 µm along x" in only(where(links, images, A, out)).words


def test_a_plane_has_no_depth() -> None:
    links = [link(A, B, covariance=np.diag([0.0] * 3 + [1e-6] * 3) ** 2)]
    on = only(where(links, [plane(B)], A, (5e-5, 5e-5, 1e-6)))
    off = only(where(links, [plane(B)], A, (5e-5, 5e-5, 1e-5)))
    assert (on.state, off.state) == ("inside", "off the plane")
    assert "10 µm off its plane" in off.words
    assert len(off.pixel) == len(off.sigma_pixel) == 2


def test_where_no_path_leads_nothing_is_told() -> None:
    found = where([link(A, B)], [volume(B), volume(C)], A, (0, 0, 0))
    assert isinstance(found[0], Found)
    assert isinstance(found[1], Unknown)
    assert "not connected" in found[1].reason
    assert "position_m" not in found_json(found[1])


def test_sigma_of_pixels_covers_what_it_says() -> None:
    """From a core of millimetres to a lamella of nanometres: 68 % of the true pixels lie within sigma."""
    random = np.random.default_rng(11)
    truth = [matrix_of(random), matrix_of(random)]
    spreads = [covariance_of(random), covariance_of(random, 2e-2, 5e-8)]
    lamella = plane(C, 200, 5e-8)
    point = np.array([1e-3, 2e-3, 5e-4])
    true = lamella.pixel_of((truth[1] @ truth[0] @ np.append(point, 1))[:3])
    inside = 0
    for _ in range(600):
        links = []
        for start, end, matrix, spread in zip((A, B), (B, C), truth, spreads, strict=True):
            # A measurement: the truth, disturbed as its covariance says.
            motion = np.linalg.cholesky(spread) @ random.normal(size=6)
            centre = tuple((matrix @ np.append(point, 1))[:3])
            measured = disturbed(pose_of(link(start, end, matrix, spread, centre_m=centre)), motion)
            links.append(link(start, end, measured, spread, centre_m=centre))
        found = only(where(links, [lamella], A, point))
        cut = found.covariance_m2[:2, :2] / 5e-8**2
        away = found.pixel - true
        inside += bool(away @ np.linalg.solve(cut, away) < 2.2957)  # chi-squared of two numbers
    assert inside / 600 == pytest.approx(0.6827, abs=0.05)


def test_points_are_read_with_their_unit() -> None:
    np.testing.assert_allclose(read_point("12.1,3.3,8.0mm"), (12.1e-3, 3.3e-3, 8e-3))
    np.testing.assert_allclose(read_point("(1, -2.5e0; 3) um"), (1e-6, -2.5e-6, 3e-6))
    np.testing.assert_allclose(read_point("1, 2 um", plane(A)), (1e-6, 2e-6, 0))
    np.testing.assert_allclose(read_point("10, 20, 30", volume(A), pixel=True), (1e-4, 2e-4, 3e-4))
    np.testing.assert_allclose(read_point("10, 20", plane(A), pixel=True), (1e-5, 2e-5, 0))


@pytest.mark.parametrize(
    ("text", "pixel", "words"),
    [
        ("1, 2, 3", False, "has no unit"),
        ("1, 2 mm", False, "2 coordinates"),
        ("1, 2, 3 mm", True, "pixels were asked for"),
        ("1, 2, 3 keV", False, "keV"),
        ("here", False, "is no point"),
        ("1, 2, 1e400 mm", False, "too far"),
        ("1 2 3 mm", False, "is no point"),
    ],
)
def test_what_is_no_point_is_refused(text: str, pixel: bool, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_point(text, volume(A), pixel=pixel)


def test_numbers_are_written_as_far_as_they_are_known() -> None:
    assert with_sigma(12.3123, 0.041) == "12.312 ± 0.041"
    assert with_sigma(12.3, 0.0) == "12.3"
    assert with_sigma(1234.5, 210.0) == "1234 ± 210"
