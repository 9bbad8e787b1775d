"""The numbers of a scan's design beside those of the field's user guides and of the textbook."""

import math

import pytest

from tomarium.kernels import scan_design as design


def test_disk_space_is_that_of_the_user_guide() -> None:
    """ANATOMIX user guide, section 4.3.1, whose GB are 2**30 B: 16 + 32 = 48 GB; 110 + 280 GB."""
    raw, volume = design.raw_bytes(2048, 2048, 2000), design.volume_bytes(2048, 2048)
    assert (raw, volume) == (16_777_216_000, 34_359_738_368)
    assert (raw + volume) / 2**30 == pytest.approx(48, abs=0.5)
    assert design.raw_bytes(3000, 2400, 8000) == 115_200_000_000
    assert design.volume_bytes(5600, 2400) == 301_056_000_000
    assert design.volume_bytes(5600, 2400) / 2**30 == pytest.approx(280, abs=0.5)


def test_with_as_many_views_as_columns_it_is_equation_4_1() -> None:
    assert design.raw_bytes(2048, 1024, 2048) + design.volume_bytes(2048, 1024) == 6 * 2048**2 * 1024


@pytest.mark.parametrize("width", [64, 2048, 5600])
def test_in_full_sampling_the_rim_moves_by_a_pixel(width: int) -> None:
    views = design.views_in_full(width)
    assert design.rim_step_px(width, 180 / views) == pytest.approx(1, rel=1 / views)
    assert design.rim_step_px(width, -180 / design.views_in_practice(width)) == pytest.approx(math.pi / 2)


def test_fresnel_numbers() -> None:
    """Of 1 µm at 12.39841984 keV, whose wavelength is 1e-10 m, at 1 cm."""
    assert design.fresnel_number(1e-6, 12.39841984, 0.01) == pytest.approx(1)
    assert design.fringe_m(12.39841984, -0.01) == pytest.approx(1e-6)


def test_transmission_and_its_energies() -> None:
    """With mu = (10 keV / E)³ / cm, exp(-mu 1 cm) is a at 10 keV / (-ln a)^(1/3)."""

    def at(energy_kev: float) -> float:
        return design.transmission((10 / energy_kev) ** 3, 0.01)

    assert at(10) == pytest.approx(math.exp(-1))
    [(low, high)] = design.energies_for(at, 0.1, 0.2)
    assert low == pytest.approx(10 / math.log(10) ** (1 / 3), rel=0.004)
    assert high == pytest.approx(10 / math.log(5) ** (1 / 3), rel=0.004)
    assert design.energies_for(at, 0.1, 0.2, low_kev=20) == []


def test_an_edge_gives_two_ranges() -> None:
    def at(energy_kev: float) -> float:
        return design.transmission((10 / energy_kev) ** 3 * (1 if energy_kev < 9 else 6), 0.01)

    assert len(design.energies_for(at, 0.1, 0.2)) == 2
