"""Lengths beside things that everybody knows: "about as long as a grain of rice (6 mm)"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from gettext import NullTranslations
from typing import Final

from tomarium.viewers.viewer import ENGLISH, decimal

WITHIN: Final = 1.15
"""A thing is named where the length is a simple multiple of its own, up to this factor."""


@dataclass(frozen=True)
class Thing:
    """A thing that people know.

    Attributes
    ----------
    name : str
        "a grain of rice".
    side : str
        Which of its lengths is meant: "long", "wide", "thick", "high".
    length_m : float
        That length, m.
    source : str
        Where the length is from: a standard, or that it is typical.
    """

    name: str
    side: str
    length_m: float
    source: str


THINGS: Final = (
    Thing("a flu virus", "wide", 1e-7, "typical, 80 to 120 nm"),
    Thing("a bacterium of the gut", "long", 2e-6, "typical of Escherichia coli"),
    Thing("a red blood cell", "wide", 7.5e-6, "typical of people, 7 to 8 µm"),
    Thing("a human hair", "wide", 7.5e-5, "typical, 50 to 100 µm"),
    Thing("a grain of table salt", "long", 3e-4, "typical, 0.2 to 0.4 mm"),
    Thing("a poppy seed", "long", 1e-3, "typical"),
    Thing("a sesame seed", "long", 3e-3, "typical"),
    Thing("a grain of rice", "long", 6e-3, "typical of long-grain rice, husked"),
    Thing("a 1-cent euro coin", "wide", 16.25e-3, "European Central Bank"),
    Thing("a AA battery", "long", 50.5e-3, "IEC 60086-2"),
    Thing("a bank card", "long", 85.6e-3, "ISO/IEC 7810, ID-1"),
    Thing("a sheet of A4 paper", "long", 0.297, "ISO 216"),
    Thing("a door", "high", 2.0, "typical"),
)
FACTORS: Final = {
    Fraction(1): "about as %(side)s as %(thing)s",
    Fraction(1, 2): "about half as %(side)s as %(thing)s",
    Fraction(2): "about twice as %(side)s as %(thing)s",
    Fraction(1, 3): "about a third as %(side)s as %(thing)s",
    Fraction(3): "about 3 times as %(side)s as %(thing)s",
    Fraction(1, 4): "about a quarter as %(side)s as %(thing)s",
    Fraction(4): "about 4 times as %(side)s as %(thing)s",
    Fraction(1, 5): "about a fifth as %(side)s as %(thing)s",
    Fraction(5): "about 5 times as %(side)s as %(thing)s",
    Fraction(1, 10): "about a tenth as %(side)s as %(thing)s",
    Fraction(10): "about 10 times as %(side)s as %(thing)s",
}
"""Simple multiples, the simplest first, with their words."""
SIDES: Final = {"long": "%(thing)s is long", "wide": "%(thing)s is wide", "high": "%(thing)s is high"}
"""Which length is meant → words for a thing of which another one is compared."""


@dataclass(frozen=True)
class Comparison:
    """A length beside a thing.

    Attributes
    ----------
    words : str
        "about as long as a grain of rice (6 mm)".
    thing : Thing
        The thing.
    factor : float
        How many times its length is meant.
    """

    words: str
    thing: Thing
    factor: float


def beside(
    length_m: float, side: str = "long", translations: NullTranslations = ENGLISH
) -> Comparison | None:
    """Compare a length with a thing that everybody knows.

    Parameters
    ----------
    length_m : float
        The length, m; positive.
    side : str
        What it is: "long", "wide", "high".
    translations : gettext.NullTranslations
        Of the words; English by default.

    Returns
    -------
    Comparison or None
        The simplest multiple of a thing's length that is the given one up to a factor of 1.15, and of those alike the
        nearest; None where there is none.

    Examples
    --------
    >>> beside(0.0062).words
    'about as long as a grain of rice (6 mm)'
    >>> beside(2.5e-05, "wide").words
    'about a third as wide as a human hair (0.075 mm)'
    """
    for factor, words in FACTORS.items():
        log_ratio = {thing: abs(math.log(length_m / (factor * thing.length_m))) for thing in THINGS}
        nearest = min(log_ratio, key=lambda thing: log_ratio[thing])
        if log_ratio[nearest] <= math.log(WITHIN):
            say = translations.gettext
            thing = say(nearest.name)
            if nearest.side != side:
                thing = say(SIDES[nearest.side]) % {"thing": thing}
            compared = say(words) % {"side": say(side), "thing": thing}
            line = f"{compared} ({decimal(plain_length(nearest.length_m), translations)})"
            return Comparison(line, nearest, float(factor))
    return None


def plain_length(length_m: float) -> str:
    """Write a length with three digits, in the units of a ruler as long as that is readable.

    Parameters
    ----------
    length_m : float
        m.

    Returns
    -------
    str
        "2 m", "29.7 cm", "6.2 mm", "0.075 mm", below 0.01 mm "6.5 µm", below 0.1 µm "50 nm".

    Examples
    --------
    >>> [plain_length(one) for one in (2, 0.297, 0.0062, 7.5e-5, 6.5e-6)]
    ['2 m', '29.7 cm', '6.2 mm', '0.075 mm', '6.5 µm']
    """
    units = (("m", 1.0, 1.0), ("cm", 1e-2, 0.1), ("mm", 1e-3, 1e-5), ("µm", 1e-6, 1e-7), ("nm", 1e-9, 0.0))
    name, size, _ = next(unit for unit in units if length_m >= unit[2] * (1 - 1e-9))
    return f"{float(f'{length_m / size:.3g}'):.12g} {name}"
