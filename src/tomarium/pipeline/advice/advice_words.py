"""Sentences that advice is given in; a page translates each before its values are put in."""

from __future__ import annotations

from typing import Final

OF_VOLUME: Final = "the width of the volume"
OF_EXTENDED: Final = "twice the columns, for the extended field"
OF_DETECTOR: Final = "the columns of the detector"
OF_SAMPLE: Final = "the diameter of the sample"
SAMPLE_PX: Final = "diameter of the sample over pixel"
TOO_WIDE: Final = "the sample is %(sample)s px wide, the field of view %(width)s px: take an extended field"
TOO_WIDE_EXTENDED: Final = (
    "the sample is %(sample)s px wide, the field of view %(width)s px: grey values "
    "are right to some percent only"
)
IN_FULL: Final = "over %(turn)s°, π/2 · %(width)s px, %(why)s: 1 px at the rim"
IN_PRACTICE: Final = "over %(turn)s°, as usual: 1.57 px at the rim from view to view"
THERE: Final = "over %(turn)s°, %(views)s over %(span)s°"
SAMPLING: Final = "of full sampling: %(verdict)s"
FEWER: Final = "undersampled"
AS_USUAL: Final = "as usual, fewer than in full"
MORE: Final = "oversampled, which costs disk space alone"
FULLY: Final = "in full"
RIM_STEP: Final = "at the rim from view to view"
UNDERSAMPLED: Final = (
    "undersampled: %(views)s views over %(turn)s° where %(usual)s are usual for %(width)s px; take more views, "
    "or bin %(factor)s-fold, or expect streaks towards the rim"
)

VIEWS_TAKEN: Final = "%(bytes)s B · %(columns)s × %(rows)s · %(views)s views"
VIEWS_USUAL: Final = "%(bytes)s B · %(columns)s × %(rows)s · %(views)s views, as usual for this width"
WITH_FLATS: Final = "%(frames)s and %(extra)s flats and darks"
WITHOUT_FLATS: Final = "%(frames)s, flats and darks not counted"
ONE_VOLUME: Final = "raw data and one volume"
VOLUMES: Final = "raw data and %(number)s volumes"
SCANS: Final = "%(scans)s scans"
RULE_ONE: Final = "by the rule 6 n_s n_x² n_z, with as many views as columns: %(scans)s scan"
RULE: Final = "by the rule 6 n_s n_x² n_z, with as many views as columns: %(scans)s scans"
TO_BRING: Final = "disk to bring, twice that"
TO_BRING_EACH: Final = "disk to bring, twice that; each further volume comes on top"
BINNED: Final = "with 2 × 2 binning and half as many views, about an eighth"
TRANSFER: Final = "to copy it at 100 to 40 MB/s"
RANGE: Final = "%(least)s to %(most)s %(unit)s"
FOR_SCANS: Final = "for %(scans)s scans"
TO_YOUR_DISK: Final = "to copy it to your disk at %(speed)s/s"
LATER: Final = "from the last scan to the end of the copy"
BEHIND: Final = (
    "your disk falls behind by %(hours)s h: data come at %(rate)s/s, it takes %(speed)s/s; bring a second one, or a "
    "quicker one"
)

TURNING: Final = "at the rim, while the sample turns by %(angle)s° in %(time)s"
AT_MOST: Final = "at the rim, at most, if the sample turns without stopping and the shutter never closes"
FASTEST: Final = "speed for which that is 1 px"
LEAST_TIME: Final = "views times exposure: the scan takes longer"
BLURRED: Final = (
    "the rim is blurred by %(blur)s px during an exposure: turn more slowly or expose more briefly"
)

FRINGE: Final = "first fringe, √(λR)"
BETA: Final = "of the total attenuation, scattering included"
RATIO: Final = "their ratio, for --set paganin.delta_beta"
NEAR: Final = "p²/(λR): near-field, which begins at %(limit)s"
NOT_NEAR: Final = "p²/(λR): beyond the near field, which begins at %(limit)s"
NOT_PAGANIN: Final = (
    "the Fresnel number of a pixel is %(number)s: Paganin's filter is not right for the finest detail; at "
    "%(distance)s it would be %(limit)s"
)
OF_LENGTH: Final = "δ/β that a filter of %(length)s px stands for, L² / (πλR)"
LENGTH_GIVEN: Final = "Paganin's length √(πλR δ/β), δ/β %(ratio)s as given"
LENGTH_OF: Final = "Paganin's length √(πλR δ/β), δ/β %(ratio)s of %(material)s"
IN_PIXELS: Final = "the same in pixels"

ATTENUATION: Final = "µ, %(source)s"
THROUGH: Final = "exp(-µD) through %(thickness)s"
TOO_THICK: Final = "%(part)s %% of the beam goes through the sample: slices will be noise and streaks"
BEST: Final = "where %(least)s to %(most)s %% go through, for least noise (µD about 2)"
NO_ENERGY: Final = "none from 1 to 800 keV"

EITHER: Final = "%(first)s or %(second)s"
FOR_WHAT_IT_IS: Final = "%(first)s and %(second)s, for what it is"
A_DISTANCE: Final = "a distance other than 0: there is no propagation without one"
