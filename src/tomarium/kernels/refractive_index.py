"""The refractive index of a material for X-rays: from its formula, its density and the photon energy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, pi
from typing import Any, Final

from tomarium import units
from tomarium.errors import EngineUnavailable, ParameterError
from tomarium.kernels.paganin import WAVELENGTH_M_KEV
from tomarium.model.sentence import Sentence

SOURCE: Final = "%(material)s at %(energy)s, tables of xraylib %(version)s"
"""Where numbers of a material come from; a page translates it."""

ENERGIES_KEV: Final = 0.1, 800.0
"""Energies between which xraylib has tables of attenuation."""

DENSITIES_G_CM3: Final = 1e-5, 25.0
"""Densities that matter has outside of stars; others are a slip of the unit, and asked back."""

NO_DENSITY: Final = "the material %(text)s has no density; %(told)s"
BAD_DENSITY: Final = "the material %(text)s: %(number)s is no density; %(told)s"
BEHIND_FORMULA: Final = "write it in g/cm³ behind the formula, such as %(example)s"
OF_ELEMENT: Final = "write it in g/cm³ behind the formula; the tables tell %(density)s of the element"
_PARTS_ADVICE: Final = (
    "write parts by weight and the density of the mixture, such as '0.7 H2O + 0.3 C5H8O2 1.05'"
)
MIXTURE_NO_DENSITY: Final = f"the mixture %(text)s has no density; {_PARTS_ADVICE}"
NO_PART: Final = f"the mixture %(text)s: %(part)s is no part by weight; {_PARTS_ADVICE}"
NOT_ONE: Final = f"the mixture %(text)s: its parts sum to %(total)s, not to 1; {_PARTS_ADVICE}"
DENSITY_UNIT: Final = "the material %(text)s: %(unit)s is no unit of density; write g/cm3 or kg/m3"
UNLIKELY_DENSITY: Final = (
    "the material %(text)s has a density of %(density)s g/cm³; %(low)s to %(high)s g/cm³ is taken; check its unit, "
    "such as %(example)s"
)
NO_TABLES: Final = (
    "%(material)s: the tables reach from %(low)s to %(high)s keV, but the energy is %(energy)s keV; check its unit, or "
    "give delta/beta as a number"
)
AT_EDGE: Final = (
    "%(material)s: at %(energy)s keV, close to an absorption edge, the tables give delta %(delta)s and beta %(beta)s, "
    "which no phase retrieval takes; choose another energy"
)
NO_FORMULA: Final = (
    "%(formula)s is no chemical formula: %(why)s; write element symbols with their numbers and no spaces, such as "
    "SiO2, C5H8O2 or Ca5(PO4)3OH"
)
NO_XRAYLIB: Final = (
    "materials are looked up by xraylib, which is not installed; install it with "
    "`pip install 'tomarium[materials]'`, or give delta/beta as a number"
)
"""What is wrong with a material; pages translate these."""

_MIXED: Final = re.compile(r"\s+\+\s+")
_PART: Final = re.compile(r"^\s*(\d*\.?\d+(?:[eE][-+]?\d+)?)\s*(%?)\s*(\S+)\s*$")
_SPELLING: Final = re.compile(r"^\s*(\S+?)[\s,;:]+([-+.\deE]+)\s*(.*?)\s*$")
_GRAMS: Final = ("", "g/cm3", "g/cm^3", "g/cm³", "g cm-3", "g/ml", "g/cc")
_KILOGRAMS: Final = ("kg/m3", "kg/m^3", "kg/m³", "kg m-3")


@dataclass(frozen=True)
class Material:
    """What a sample is made of.

    Attributes
    ----------
    formula : str
        Chemical formula, such as "SiO2" or "Ca5(PO4)3OH"; of a mixture by weight "0.7 H2O + 0.3 C5H8O2".
    density_g_cm3 : float
        Density in g/cm³.
    """

    formula: str
    density_g_cm3: float

    @property
    def parts(self) -> tuple[tuple[float, str], ...]:
        """The parts by weight, which sum to 1, with their formulas."""
        if "+" not in self.formula:
            return ((1.0, self.formula),)
        words_by_part = [word.split() for word in self.formula.split("+")]
        return tuple((float(weight), formula) for weight, formula in words_by_part)

    def __str__(self) -> str:
        return f"{self.formula} {self.density_g_cm3:g} g/cm³"


@dataclass(frozen=True)
class RefractiveIndex:
    """n = 1 - delta + i beta of a material at an energy.

    Attributes
    ----------
    material : Material
        The material.
    energy_kev : float
        Photon energy in keV.
    delta : float
        Decrement of the real part, dimensionless.
    beta : float
        Imaginary part, dimensionless: lambda mu / (4 pi), mu of the total attenuation.
    """

    material: Material
    energy_kev: float
    delta: float
    beta: float

    @property
    def delta_beta(self) -> float:
        """The ratio delta / beta."""
        return self.delta / self.beta

    @property
    def attenuation_1_cm(self) -> float:
        """Linear attenuation coefficient mu = 4 pi beta / lambda in 1/cm, scattering included."""
        return 4 * pi * self.beta * self.energy_kev / (100 * WAVELENGTH_M_KEV)

    @property
    def source(self) -> str:
        """Where the numbers come from, in words: a `Sentence`."""
        energy = units.show(self.energy_kev, "keV")
        return Sentence(SOURCE, material=self.material, energy=energy, version=_xraylib().__version__)


def parse_material(text: str) -> Material:
    """Read a material as people write it.

    Parameters
    ----------
    text : str
        Formula and density: "SiO2 2.65", "H2O 1.0 g/cm3", "Al 2700 kg/m3". Without a unit the density is in g/cm³. Of a
        mixture, parts by weight that sum to 1 (or to 100 %) and its density: "0.7 H2O + 0.3 C5H8O2 1.05".

    Returns
    -------
    Material
        With a formula whose elements are known.

    Raises
    ------
    ParameterError
        There is no density, one that no matter has, or the formula is none.
    EngineUnavailable
        xraylib is not installed.
    """
    *before, text_of_last = _MIXED.split(text)
    if before:
        return _mixture(text, before, text_of_last)
    match = _SPELLING.match(text)
    if match is None:
        raise ParameterError(Sentence(NO_DENSITY, text=repr(text), told=_asked((text.split() or [""])[0])))
    formula, number, unit = match.groups()
    density = _density(text, formula, number, unit)
    _check_formula(formula)
    return Material(formula, density)


def _mixture(text: str, before: list[str], last: str) -> Material:
    """Read the parts of a mixture, the density behind the last."""
    words = re.match(r"^(\s*\S+\s+\S+?)[\s,;:]+([-+.\deE]+)\s*(.*?)\s*$", last)
    if words is None:
        raise ParameterError(Sentence(MIXTURE_NO_DENSITY, text=repr(text)))
    matches = [_PART.match(part_text) for part_text in (*before, words[1])]
    if None in matches:
        part = (*before, words[1])[matches.index(None)].strip()
        raise ParameterError(Sentence(NO_PART, text=repr(text), part=repr(part)))
    parts = [(float(match[1]) / (100 if match[2] else 1), match[3]) for match in matches if match is not None]
    total = sum(weight for weight, _ in parts)
    if abs(total - 1) > 0.005:
        raise ParameterError(Sentence(NOT_ONE, text=repr(text), total=f"{total:g}"))
    for _, formula in parts:
        _check_formula(formula)
    density = _density(text, parts[-1][1], words[2], words[3])
    return Material(" + ".join(f"{weight / total:g} {formula}" for weight, formula in parts), density)


def _density(text: str, formula: str, number: str, unit: str) -> float:
    """Read a density in g/cm³."""
    try:
        density = float(number)
    except ValueError as problem:
        raise ParameterError(
            Sentence(BAD_DENSITY, text=repr(text), number=repr(number), told=_asked(formula))
        ) from problem
    if unit.lower() in _KILOGRAMS:
        density /= 1000
    elif unit.lower() not in _GRAMS:
        raise ParameterError(Sentence(DENSITY_UNIT, text=repr(text), unit=repr(unit)))
    low, high = DENSITIES_G_CM3
    if not (isfinite(density) and low <= density <= high):
        example = f"'{formula} {number} kg/m3'"
        told = {"density": f"{density:g}", "low": f"{low:g}", "high": f"{high:g}", "example": example}
        raise ParameterError(Sentence(UNLIKELY_DENSITY, text=repr(text), **told))
    return density


def refractive_index(material: Material, energy_kev: float) -> RefractiveIndex:
    """Look up the refractive index of a material.

    Parameters
    ----------
    material : Material
        Formula and density.
    energy_kev : float
        Photon energy in keV, 0.1 to 800.

    Returns
    -------
    RefractiveIndex
        delta of the scattering factors with their dispersion, beta of the total cross section (photoelectric,
        Compton and Rayleigh).

    Raises
    ------
    ParameterError
        The energy lies outside of the tables, or they lack an element.
    EngineUnavailable
        xraylib is not installed.

    References
    ----------
    T. Schoonjans et al., Spectrochimica Acta B 66 (2011) 776, doi 10.1016/j.sab.2011.09.011.
    """
    low, high = ENERGIES_KEV
    if not low <= energy_kev <= high:
        told = {"low": f"{low:g}", "high": f"{high:g}", "energy": f"{energy_kev:g}"}
        raise ParameterError(Sentence(NO_TABLES, material=material, **told))
    tables, delta, beta = _xraylib(), 0.0, 0.0
    for weight, formula in material.parts:  # δ and β are those of each part at its own density in the mixture
        arguments = formula, float(energy_kev), weight * material.density_g_cm3
        delta += 1 - _asking(tables.Refractive_Index_Re, *arguments)
        beta += _asking(tables.Refractive_Index_Im, *arguments)
    if not (delta > 0 and beta > 0):
        told = {"energy": f"{energy_kev:g}", "delta": f"{delta:.3g}", "beta": f"{beta:.3g}"}
        raise ParameterError(Sentence(AT_EDGE, material=material, **told))
    return RefractiveIndex(material, float(energy_kev), delta, beta)


def interface_delta_beta(inner: RefractiveIndex, outer: RefractiveIndex) -> float:
    """Return the ratio δ/β of the interface between two materials.

    Parameters
    ----------
    inner, outer : RefractiveIndex
        Of the two, at one energy; their order does not matter.

    Returns
    -------
    float
        (δ₁ - δ₂) / (β₁ - β₂).

    Raises
    ------
    ParameterError
        The one that refracts more absorbs less, so that the fringe has the other sign: no low-pass filter undoes it;
        or both absorb alike.

    References
    ----------
    M. A. Beltran et al., Optics Express 18, 6423 (2010), doi 10.1364/OE.18.006423.
    """
    delta, beta = inner.delta - outer.delta, inner.beta - outer.beta
    if abs(beta) < 1e-6 * outer.beta or delta / beta <= 0:
        raise ParameterError(
            f"{inner.material} within {outer.material} at {inner.energy_kev:g} keV: delta differs by {delta:.3g} and "
            f"beta by {beta:.3g}; Paganin's filter needs differences of one sign: choose another energy, or ctf"
        )
    return delta / beta


def _check_formula(formula: str) -> None:
    try:
        _asking(_xraylib().CompoundParser, formula)
    except ParameterError as problem:
        why = str(problem).removeprefix("Invalid chemical formula: ")
        raise ParameterError(Sentence(NO_FORMULA, formula=repr(formula), why=why)) from problem


def _asked(formula: str) -> str:
    """Say what to write; of an element, its density by the tables."""
    _check_formula(formula)
    tables = _xraylib()
    parts = tables.CompoundParser(formula)
    if parts["nElements"] == 1:
        density = tables.ElementDensity(parts["Elements"][0])
        return Sentence(OF_ELEMENT, density=f"{density:g}")
    return Sentence(BEHIND_FORMULA, example=f"'{formula} 2.65'")


def _asking(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ValueError as problem:
        raise ParameterError(str(problem)) from problem


def _xraylib() -> Any:
    try:
        import xraylib
    except ImportError as problem:
        raise EngineUnavailable(Sentence(NO_XRAYLIB)) from problem
    return xraylib
