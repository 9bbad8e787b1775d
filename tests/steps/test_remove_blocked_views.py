"""Views that a press blocks: all are found, none else, and without them slices are as good as before."""

from dataclasses import replace

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import InputError
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.blocked_views import blocked_views
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.steps.views.remove_blocked_views import remove_blocked_views

COLUMNS, ROWS = 128, 8
U = np.arange(COLUMNS) - 63.5


def projections(seed: int, views: int, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Attenuation of some bodies, and the angles."""
    draw = np.random.default_rng(seed)
    angles = np.arange(views) * turn_deg / views
    bodies = [
        Ellipsoid((0, 0, 0), (1e4, 48, 40), 0.02),
        *(
            Ellipsoid(
                (0, *draw.uniform(-22, 22, 2)), (1e4, *draw.uniform(3, 9, 2)), draw.uniform(-0.015, 0.03)
            )
            for _ in range(6)
        ),
    ]
    return line_integrals(bodies, angles, np.zeros(ROWS), U), angles


def behind_columns(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What two columns of a press let through, 300 px from the axis, and the views they cover by more than a fifth."""
    place = 300 * np.sin(np.radians(angles - 20.0))
    through = np.where(np.abs(U[None] - place[:, None]) < 27, 1e-4, 1.0)
    return through, (through < 1).mean(axis=1) > 0.2


def passing(angles: np.ndarray) -> np.ndarray:
    """What something lets through that passes twice, covering a third of the views of 15° each, never opposite ones."""
    through = np.ones((len(angles), COLUMNS))
    for first in (20.0, 110.0):
        through[(angles >= first) & (angles < first + 15), 40:85] = 1e-4
    return through


def counts(attenuation: np.ndarray, through: np.ndarray, seed: int, photons: float = 5000) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return (100 + draw.poisson(photons * np.exp(-attenuation) * through[:, None])).astype(np.uint16)


def scan_of(frames: np.ndarray, angles: np.ndarray, photons: float = 5000) -> tm.Scan:
    draw = np.random.default_rng(99)
    flats = (100 + draw.poisson(photons, (20, ROWS, COLUMNS))).astype(np.uint16)
    return scan_of_arrays(frames, angles, flats=flats, darks=np.full((5, ROWS, COLUMNS), 100, np.uint16))


@pytest.mark.parametrize("seed", range(6))
def test_all_blocked_views_are_found_and_none_else(seed: int) -> None:
    attenuation, angles = projections(seed, 360, 360)
    through, blocked = behind_columns(angles)
    open_scan = scan_of(counts(attenuation, np.ones_like(through), seed), angles)
    assert remove_blocked_views(open_scan).shape[0] == 360
    found = blocked_views(np.exp(-attenuation) * through[:, None], angles)
    assert found[blocked].all()
    assert not found[(through == 1).all(axis=1)].any()


def errors(seed: int, through: np.ndarray) -> tuple[float, float, float, tm.Scan]:
    """Errors of slices without anything in the way, with it, and after the view; and the view."""
    attenuation, angles = projections(seed, 360, 360)
    truth = tm.fbp(attenuation, angles, 63.5)
    inside = np.hypot(U[:, None], U[None]) < 60

    def error(scan: tm.Scan) -> float:
        made = np.asarray(tm.reconstruct(scan, "steps: [flat_field, fbp]", axis_column=63.5))
        return float(np.sqrt(np.mean((made - truth)[:, inside] ** 2)))

    clear = scan_of(counts(attenuation, np.ones_like(through), seed), angles)
    pressed = scan_of(counts(attenuation, through, seed), angles)
    without = remove_blocked_views(pressed)
    return error(clear), error(pressed), error(without), without


@pytest.mark.parametrize("seed", range(4))
def test_where_the_opposite_views_are_clear_slices_are_nearly_as_good(seed: int) -> None:
    clear, pressed, mended, without = errors(seed, passing(np.arange(360.0)))
    assert pressed > 3 * clear
    assert mended <= 1.1 * clear
    assert without.shape[0] == 330
    assert (
        "30 of 360 projections are partly blocked and were left out: 20 to 34, 110 to 124"
        in without.warnings[-1]
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_press_leaves_a_wedge_but_no_shadow(seed: int) -> None:
    through, _ = behind_columns(np.arange(360.0))
    clear, pressed, mended, _ = errors(seed, through)
    assert clear < mended < 0.4 * pressed


def test_a_plate_that_is_seen_along_its_face_is_not_blocked() -> None:
    angles = np.arange(180.0)
    plate = line_integrals([Ellipsoid((0, 0, 0), (1e4, 55, 3), 0.05)], angles, np.zeros(ROWS), U)
    assert not blocked_views(np.exp(-plate), angles).any()


def test_what_cannot_be_told_is_refused() -> None:
    attenuation, angles = projections(0, 90, 180)
    scan = scan_of(counts(attenuation, np.ones((90, COLUMNS)), 0), angles)
    with pytest.raises(InputError, match="compares projections with flats"):
        remove_blocked_views(replace(scan, flats=None))


def test_a_record_can_be_made_again() -> None:
    attenuation, angles = projections(1, 180, 360)
    through, _ = behind_columns(angles)
    left = remove_blocked_views(scan_of(counts(attenuation, through, 1), angles), excess=0.4)
    assert left.recipe[-1] == {"remove_blocked_views": {"excess": 0.4}}
