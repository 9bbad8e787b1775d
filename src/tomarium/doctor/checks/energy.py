"""Energy: whether the beam comes through the sample, and not too easily."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tomarium.doctor.core.check import check, compares
from tomarium.doctor.core.finding import Finding, info, warning
from tomarium.doctor.core.subject import Subject, has_flats

OPAQUE: Final = 0.05
FAINT: Final = 0.90
HARDEST_KEV: Final = 1000.0
_SHADOW: Final = 0.97


@check(has_flats)
def transmission_of_sample(subject: Subject) -> Iterator[Finding]:
    """Measure the mean transmission of the sample, where it is in the beam: 5 to 90 % suit.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning below 5 %, and where nothing of a sample is to be seen; an information above 90 %, where
        phase contrast is what is left.
    """
    through = subject.frames.transmission
    if not through.size:
        return
    open_beam = float(np.nanpercentile(through, 98))
    if not np.isfinite(open_beam) or open_beam <= 0:
        return
    relative = through / max(open_beam, 1e-6)
    shadow = relative[np.isfinite(relative) & (relative < _SHADOW)]
    energy = f" at {subject.facts['energy_kev'].value:g} keV" if "energy_kev" in subject.facts else ""
    if shadow.size < 1e-3 * relative.size:
        yield warning(
            "projections",
            f"no sample is to be seen{energy}: all of the field of view transmits {100 * open_beam:.0f} %",
            "a shadow of the sample",
            "check that flats and projections are not exchanged, and that the sample was in",
        )
        return
    yield from _judge("projections", float(shadow.mean()), energy)


@check(has_flats)
def beam_against_flats(subject: Subject) -> Iterator[Finding]:
    """Compare the brightest places of the projections with the flats: beside the sample they should agree.

    Parameters
    ----------
    subject : Subject
        A scan with flats.

    Yields
    ------
    Finding
        A warning where they are brighter than the flats by more than 20 %, which no sample does.
    """
    if not subject.frames.transmission.size:
        return
    brightest = float(np.nanpercentile(subject.frames.transmission, 98))
    if brightest > 1.2:
        yield warning(
            "projections and flats",
            f"the brightest places transmit {100 * brightest:.0f} %",
            "at most 120 %",
            "exposure, filters or beam differ between flats and projections: take flats of this scan",
        )


@compares("transmission")
def transmission_told(subject: Subject, transmission: float) -> Iterator[Finding]:
    """Judge the mean transmission that is told.

    Parameters
    ----------
    subject : Subject
        Anything that knows it.
    transmission : float
        From 0 to 1.

    Yields
    ------
    Finding
        A warning below 5 %, an information above 90 %.
    """
    energy = f" at {subject.facts['energy_kev'].value:g} keV" if "energy_kev" in subject.facts else ""
    yield from _judge("transmission", transmission, energy)


@compares("energy_kev")
def energy_unit(subject: Subject, energy_kev: float) -> Iterator[Finding]:
    """Ask whether an energy above 1 MeV was written in eV.

    Parameters
    ----------
    subject : Subject
        Anything that knows it; the pixel size where it is known.
    energy_kev : float
        Photon energy, keV.

    Yields
    ------
    Finding
        A warning above 1 MeV where the pixels are finer than 50 µm, which no linear accelerator resolves; an
        information else.
    """
    if not HARDEST_KEV < energy_kev <= 300 * HARDEST_KEV:
        return
    found, expected = f"{energy_kev:g} keV", f"{energy_kev / 1000:g} keV, if it was written in eV"
    remedy = "check the unit; give the right one: --energy"
    if "pixel_m" in subject.facts and subject.facts["pixel_m"].value < 50e-6:
        yield warning("energy", found, expected, remedy)
    else:
        yield info("energy", found, expected, remedy)


def _judge(where: str, mean: float, energy: str) -> Iterator[Finding]:
    found, expected = f"the sample transmits {100 * mean:.3g} % on average{energy}", "5 to 90 %"
    if mean < OPAQUE:
        yield warning(
            where, found, expected, "take a higher energy, or expose longer: few photons come through"
        )
    elif mean > FAINT:
        yield info(
            where, found, expected, "a lower energy gives more contrast, unless phase contrast was wanted"
        )
