"""The axis by a motor: calibrated by accepted scans, by medians."""

from __future__ import annotations

import numpy as np
import pytest

from tomarium.errors import InputError
from tomarium.kernels.axis.motor_guess import Accepted, calibrate

SCALE = {"m": 1.0, "mm": 1e-3, "um": 1e-6}


def scans(count: int, sign: int, unit: str, seed: int, noise: float = 0.5) -> list[Accepted]:
    """Motors whose axis lies in the middle at 3.2 mm, moved by up to 1 mm, two pixel sizes."""
    draw = np.random.default_rng(seed)
    found = []
    for pixel in draw.choice([0.65e-6, 3.25e-6], count):
        moved = draw.uniform(-1e-3, 1e-3)
        offset = sign * moved / pixel + draw.normal(0, noise)
        found.append(Accepted((3.2e-3 + moved) / SCALE[unit], float(pixel), float(offset)))
    return found


@pytest.mark.parametrize("unit", SCALE)
@pytest.mark.parametrize("sign", [1, -1])
def test_three_scans_calibrate_to_three_pixels(sign: int, unit: str) -> None:
    worst = 0.0
    for seed in range(60):
        *known, new = scans(4, sign, unit, seed)
        made = calibrate(known)
        assert (made.sign, made.unit, made.scans) == (sign, unit, 3)
        worst = max(worst, abs(made.offset_px(new.position, new.pixel_m) - new.offset_px))
    assert worst < 8  # a reference known from coarse pixels, asked in fine ones
    for seed in range(60):  # one pixel size
        *known, new = (Accepted(one.position, 1e-6, one.offset_px * one.pixel_m / 1e-6)
                       for one in scans(4, sign, unit, seed, 0.3))  # fmt: skip
        assert abs(calibrate(known).offset_px(new.position, new.pixel_m) - new.offset_px) < 3


def test_wrong_scans_do_not_draw_it_off() -> None:
    known = scans(7, -1, "mm", 5)
    wrong = [Accepted(one.position, one.pixel_m, one.offset_px + 300) for one in known[:1]]
    made = calibrate([*wrong, *known[1:]])
    assert made.sign == -1
    assert made.reference == pytest.approx(3.2, abs=5e-3)


def test_what_does_not_tell_is_refused() -> None:
    with pytest.raises(InputError, match="2 scans with an accepted axis"):
        calibrate(scans(2, 1, "mm", 0))
    still = [Accepted(3.2, 1e-6, offset) for offset in (10.0, 10.4, 9.8, 10.1)]
    with pytest.raises(InputError, match="do not tell in which direction"):
        calibrate(still)
