"""Refractive indices beside NIST's tables and the closed formula far from absorption edges."""

import math

import pytest

from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.kernels.refractive_index import Material, parse_material, refractive_index

ELECTRON_RADIUS_M = 2.8179403262e-15
AVOGADRO = 6.02214076e23


# Mass attenuation coefficients in cm²/g: Hubbell & Seltzer, NISTIR 5632.
@pytest.mark.parametrize(
    ("text", "energy_kev", "mass_attenuation"),
    [
        ("H2O 1.0", 20, 0.8096),
        ("H2O 1.0", 60, 0.2059),
        ("Al 2.699", 20, 3.441),
        ("Si 2.33", 30, 1.436),
        ("SiO2 2.65", 20, 28.0855 / 60.0843 * 4.464 + 31.9988 / 60.0843 * 0.8651),
        ("Fe 7.874", 10, 170.6),
        ("Au 19.32", 100, 5.158),
    ],
)
def test_attenuation_is_that_of_nist(text: str, energy_kev: float, mass_attenuation: float) -> None:
    material = parse_material(text)
    found = refractive_index(material, energy_kev)
    assert found.attenuation_1_cm == pytest.approx(mass_attenuation * material.density_g_cm3, rel=0.02)


@pytest.mark.parametrize(
    ("text", "electrons", "mass"),
    [
        ("H2O 1.0", 10, 18.015),
        ("SiO2 2.65", 30, 60.084),
        ("C5H8O2 1.18", 54, 100.117),
        ("Al 2.7", 13, 26.982),
    ],
)
def test_delta_is_that_of_free_electrons(text: str, electrons: int, mass: float) -> None:
    material = parse_material(text)
    wavelength_m = 1.239841984e-9 / 40
    density_m3 = material.density_g_cm3 * 1e6 / mass * AVOGADRO * electrons
    expected = ELECTRON_RADIUS_M * wavelength_m**2 * density_m3 / (2 * math.pi)
    assert refractive_index(material, 40).delta == pytest.approx(expected, rel=0.005)


def test_beta_and_attenuation_are_one_number() -> None:
    found = refractive_index(Material("SiO2", 2.65), 20)
    wavelength_cm = 1.239841984e-7 / 20
    assert found.attenuation_1_cm == pytest.approx(4 * math.pi * found.beta / wavelength_cm, rel=1e-12)
    assert found.delta_beta == found.delta / found.beta
    assert "SiO2 2.65 g/cm³ at 20 keV, tables of xraylib" in found.source


@pytest.mark.parametrize("text", ["SiO2 2.65", " SiO2, 2.65 g/cm3 ", "SiO2 2650 kg/m3", "SiO2 2.65e0 g/cm³"])
def test_a_material_has_many_spellings(text: str) -> None:
    assert parse_material(text) == Material("SiO2", 2.65)


def test_a_mixture_is_the_compound_of_its_parts() -> None:
    """Sodium chloride solution by weight, beside one formula with the same atoms; and NIST's attenuation by weight."""
    water, salt = 18.0153, 58.4428
    part = salt / (salt + 20 * water)
    mixed = refractive_index(parse_material(f"{1 - part:.8f} H2O + {part:.8f} NaCl 1.1"), 20)
    whole = refractive_index(parse_material("H40O20NaCl 1.1"), 20)
    assert mixed.delta == pytest.approx(whole.delta, rel=1e-4)
    assert mixed.beta == pytest.approx(whole.beta, rel=1e-4)
    half = refractive_index(parse_material("50% H2O + 50% Al, 1.46 g/cm3"), 20)
    assert half.attenuation_1_cm == pytest.approx(1.46 * (0.8096 + 3.441) / 2, rel=0.02)
    assert str(half.material) == "0.5 H2O + 0.5 Al 1.46 g/cm³"
    same = refractive_index(parse_material("0.2 H2O + 0.8 H2O 1.0"), 20)
    assert same.delta == pytest.approx(refractive_index(parse_material("H2O 1.0"), 20).delta, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SiO2", "has no density; write it in g/cm³ behind the formula, such as 'SiO2 2.65'"),
        ("Al", "the tables tell 2.6989 of the element"),
        ("Xx 2", "unknown symbol Xx"),
        ("sand 1.6", "'sand' is no chemical formula"),
        ("SiO2 2650", "such as 'SiO2 2650 kg/m3'"),
        ("SiO2 0", "has a density of 0 g/cm³"),
        ("SiO2 2.65 lb", "'lb' is no unit of density"),
        ("SiO2 1e1e1", "is no density"),
        ("0.7 H2O + 0.3 C5H8O2", "has no density; write parts by weight"),
        ("0.7 H2O + 0.2 C5H8O2 1.05", "its parts sum to 0.9, not to 1"),
        ("H2O + 0.3 C5H8O2 1.05", "'H2O' is no part by weight"),
        ("0.7 H2O + 0.3 Xx 1.05", "unknown symbol Xx"),
        ("0.7 H2O + 0.3 C5H8O2 1050", "such as 'C5H8O2 1050 kg/m3'"),
        ("", "has no density"),
    ],
)
def test_what_is_no_material_is_asked_back(text: str, message: str) -> None:
    with pytest.raises(ParameterError) as told:
        parse_material(text)
    assert message in str(told.value) or (not text and "is no chemical formula" in str(told.value))


@pytest.mark.parametrize("energy_kev", [0.05, 801.0, -1.0, float("nan")])
def test_energies_outside_of_the_tables_are_asked_back(energy_kev: float) -> None:
    with pytest.raises(ParameterError, match=r"the tables reach from 0\.1 to 800 keV"):
        refractive_index(Material("H2O", 1.0), energy_kev)


def test_without_the_tables_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xraylib", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'tomarium\[materials\]'"):
        parse_material("H2O 1.0")
