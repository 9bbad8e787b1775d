"""Text and numbers with a unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomarium import units
from tomarium.errors import UnitError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.65 um", "m", 0.65e-6),
        ("0.65um", "m", 0.65e-6),
        ("3.25 µm", "m", 3.25e-6),
        ("3.25 μm", "m", 3.25e-6),
        ("10 cm", "m", 0.1),
        ("20 keV", "keV", 20.0),
        ("20000 eV", "keV", 20.0),
        ("4GB", "B", 4e9),
        ("4 GiB", "B", 4 * 2**30),
        ("1.5e3 mm", "m", 1.5),
        ("-90 deg", "deg", -90.0),
        ("90°", "deg", 90.0),
        (f"{math.pi} rad", "deg", 180.0),
        ("2 inch", "m", 0.0508),
    ],
)
def test_parse_reads_what_people_write(text: str, unit: str, value: float) -> None:
    assert units.parse(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "told"),
    [
        ("0.65", "m", "has no unit"),
        ("um", "m", "holds no number"),
        ("", "m", "holds no number"),
        ("3 keV", "m", "measures keV, not m"),
        ("3 parsnips", "m", "cannot be read"),
        ("nan um", "m", "holds no number"),
    ],
)
def test_parse_refuses_and_says_what_to_write(text: str, unit: str, told: str) -> None:
    with pytest.raises(UnitError, match=told):
        units.parse(text, unit)


# Misspellings of the field, and what pint has another view of.
NOT_PINTS = {
    "Micron", "Microns", "microm", "Ang", "ang", "Angstrom", "angstroms", "KEV", "ev", "Deg", "DEG", "Degree",
    "Degrees", "msec", "cts", "Counts", "arb", "arb.", "a.u.", "arb. units", "arbitrary", "Kelvin", "deg/s", "°/s",
    "degree/s",
}  # fmt: skip


@pytest.mark.parametrize(
    "spelling", sorted(set(units.SPELLINGS) - {"kev", "KeV", "sec", "°", "um", "μm", *NOT_PINTS})
)
def test_the_table_agrees_with_pint(spelling: str) -> None:
    base, size = units.SPELLINGS[spelling]
    names = {"B": "byte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte"}
    names |= {"KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte"}
    names |= {"fps": "1/s", "phs^-1": "1/s", "kgm^-3": "kg/m^3", "px": "pixel"}  # dxfile's own spellings
    quantity = units._pint().Quantity(1.0, names.get(spelling, spelling))
    assert quantity.to(names.get(base, base)).magnitude == pytest.approx(size, rel=1e-9)


@given(st.floats(1e-9, 1e3))
def test_a_length_survives_showing_and_parsing(value: float) -> None:
    assert units.parse(units.show(value, "m", 17), "m") == pytest.approx(value, rel=1e-12)


def test_show_chooses_a_readable_unit() -> None:
    assert units.show(0.65e-6, "m") == "0.65 µm"
    assert units.show(1e-6, "m") == "1 µm"
    assert units.show(4.29e9, "B") == "4.29 GB"
    assert units.show(20, "keV") == "20 keV"
    assert units.show(0.0, "m") == "0 m"
    assert units.show(1e-12, "m") == "0.001 nm"
    assert units.show(1e-30, "m") == "1e-30 m"
    assert units.show(-1e20, "m") == "-1e+20 m"
    assert units.show(1e-6, "s") == "0.001 ms"
    assert units.show(1e-30, "s") == "1e-30 s"
    assert units.show(1e30, "B") == "1e+30 B"
    assert units.show(179.006, "deg") == "179.006°"


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [(one, "deg") for one in ("", "1", "count", "counts", "percent", "%", "ppm", "bit", "px", "arb", "sr")]
    + [(one, "m") for one in ("px", "pixel", "pixels", "counts", "arb", "a.u.", "deg", "A", "1")]
    + [("deg", one) for one in ("", "count", "percent", "m", "pixel")]
    + [("m", "pixel"), ("inch", "pixel"), ("furlong", "px"), ("degC", "K"), ("K", "degC"), ("pixel", "1/m")],
)
def test_kinds_that_must_not_meet(spelling: str, unit: str) -> None:
    with pytest.raises(UnitError):
        units.factor(spelling, unit)


@pytest.mark.parametrize(
    ("spelling", "unit", "factor"),
    [
        ("mrad", "deg", 0.18 / math.pi), ("milliradian", "deg", 0.18 / math.pi), ("arcsec", "deg", 1 / 3600),
        ("deg", "rad", math.pi / 180), ("turn", "deg", 360.0), ("Micron", "m", 1e-6), ("\u212b", "m", 1e-10),
        ("\u00c5", "m", 1e-10), ("Angstrom", "m", 1e-10), ("mm/s", "m/s", 1e-3), ("KeV", "keV", 1.0),
        ("deg/min", "deg/s", 1 / 60), ("cts", "count", 1.0), ("percent", "ppm", 1e4), ("msec", "s", 1e-3),
    ],
)  # fmt: skip
def test_spellings_of_the_field(spelling: str, unit: str, factor: float) -> None:
    assert units.factor(spelling, unit) == pytest.approx(factor, rel=1e-12)


@given(st.floats(-200, 3000))
def test_temperatures_have_their_zero(value: float) -> None:
    for spelling in ("degC", "°C", "C", "celsius", "Celsius"):
        assert units.convert(value, spelling, "K") == pytest.approx(value + 273.15, abs=1e-9)
    assert units.convert(value * 1.8 + 32, "degF", "K") == pytest.approx(value + 273.15, abs=1e-9)
    assert units.convert(value, "K", "K") == value
    assert units.parse(f"{value!r} °C", "K") == pytest.approx(value + 273.15, abs=1e-9)


@given(st.floats(-1e4, 1e4))
def test_degrees_and_radians_go_there_and_back(value: float) -> None:
    there = units.convert(value, "deg", "rad")
    assert there == pytest.approx(math.radians(value), rel=1e-14, abs=1e-300)
    assert units.convert(there, "rad", "deg") == pytest.approx(value, rel=1e-13, abs=1e-300)


@given(st.sampled_from(sorted(units.SPELLINGS)), st.sampled_from(sorted(units.SPELLINGS)))
def test_factors_of_the_table_are_each_others_inverse(one: str, other: str) -> None:
    if units.SPELLINGS[one][0] == units.SPELLINGS[other][0]:
        assert units.factor(one, other) * units.factor(other, one) == pytest.approx(1.0, rel=1e-14)
    else:
        with pytest.raises(UnitError):
            units.factor(one, other)
