"""What is settled once a scan was read: the user's own values, then whether the whole fits together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.opening.angles import look_like_turns_in_radians, without_assumed
from tomarium.model import Scan, Value
from tomarium.model.geometry import BY_NAME, PER_VIEW, user_value
from tomarium.model.slab import RAW_DOMAINS

LEAST_RATIO: Final = 0.1
"""Intensity of the beam over that of the flats below which, or above its inverse, no scan is worth its flats."""

_OF_COUNTS: Final = (
    "holds no flat fields",
    "holds no dark fields",
    "as no flat fields are",
    "as no dark fields are",
)
"""Warnings of what counts alone want."""


def with_user_values(scan: Scan, values: Mapping[str, Any]) -> Scan:
    """Put the user's values in place of the file's.

    `values`: name of a field of the geometry → what `user_value` takes for it, or a Value made already; None
    keeps the file's.
    """
    if values.get("angles_deg") is not None:
        scan = replace(scan, warnings=without_assumed(scan.warnings))
    given = [name for name in ("shift_columns_px", "shift_rows_px") if values.get(name) is not None]
    scan = _without(scan, [f"give --{BY_NAME[name].option} " for name in given])
    return scan.with_geometry(
        **{
            name: value if isinstance(value, Value) else user_value(name, value)
            for name, value in values.items()
            if value is not None
        }
    )


def with_domain(scan: Scan, domain: str | None) -> Scan:
    """Put the user's word for what the frames hold in place of the reader's.

    `domain`: "counts", "transmission" or "attenuation"; None keeps what the file says.
    """
    if domain is None:
        return scan if scan.domain == "counts" else _without(scan, _OF_COUNTS)
    known_domain = next((raw_domain for raw_domain in RAW_DOMAINS if raw_domain == domain), None)
    if known_domain is None:
        raise ParameterError(
            f"domain={domain!r} was given; frames hold {', '.join(RAW_DOMAINS[:-1])} or {RAW_DOMAINS[-1]}"
        )
    answered = ("--domain",) if known_domain == "counts" else ("--domain", *_OF_COUNTS)
    return _without(replace(scan, domain=known_domain), answered)


def _without(scan: Scan, answered: Sequence[str]) -> Scan:
    """Leave out the warnings that hold some words."""
    warnings = tuple(said for said in scan.warnings if not any(words in said for words in answered))
    return replace(scan, warnings=warnings)


def checked(scan: Scan) -> Scan:
    """Refuse a scan whose angles cannot be those of its projections, and say what it lacks.

    Result: the same scan, with a warning where the angles look like radians; a number that no scan has, as a
    pixel of 6.5 m, is left out, with a warning.
    """
    count = scan.shape[0]
    if not count:
        raise FormatError(
            f"{scan.path}: holds no projections, only {dict(scan.counts)}; nothing can be reconstructed"
        )
    angles, where = scan.angles_deg.value, f"{scan.path}: {scan.angles_deg.source}"
    remedy = f"give {count} angles as angles_deg when you open the scan, or as --angles 0:180:{count}"
    if len(angles) == 0:
        raise FormatError(f"{where}; {remedy}")
    if len(angles) > count and ":/" in scan.angles_deg.source:
        remedy += f", or their place, such as --angles '{scan.angles_deg.source}[0:{count}]' where the scan was stopped"
    if len(angles) != count:
        raise FormatError(
            f"{where}: {len(angles)} angles for {count} projections; one each is needed, so {remedy}"
        )
    bad = np.flatnonzero(~np.isfinite(angles))
    if len(bad):
        raise FormatError(
            f"{where}: {len(bad)} of {count} angles are no finite numbers, the first at projection {bad[0]}; "
            f"they must all be known, so {remedy}"
        )
    if count > 1 and not np.ptp(angles):
        raise FormatError(f"{where}: all {count} angles are {angles[0]:g}°, which says nothing; {remedy}")
    for name in PER_VIEW:
        _demand_one_each(scan, name, count)
    _demand_ratios(scan)
    return _without_absurd(_without_radians(scan))


def _demand_one_each(scan: Scan, name: str, count: int) -> None:
    value = getattr(scan.geometry, name)
    if value is None or (len(value.value) == count and np.isfinite(value.value).all()):
        return
    content = f"{len(value.value)} numbers" if len(value.value) != count else "numbers that are not finite"
    raise FormatError(
        f"{scan.path}: {value.source}: {BY_NAME[name].words} has {content} for {count} projections; give one finite "
        f"number for each as {name}, or leave it out"
    )


def _demand_ratios(scan: Scan) -> None:
    """Refuse intensities of the beam that are no ratios to that of the flats, as a current in mA."""
    value = scan.geometry.beam_intensity
    if value is None or bool(np.all((value.value > LEAST_RATIO) & (value.value < 1 / LEAST_RATIO))):
        return
    raise FormatError(
        f"{scan.path}: {value.source}: the intensity of the beam in the views is {value.value.min():.4g} to "
        f"{value.value.max():.4g}; give it over that in the flats, which is about 1: each current of the ring divided "
        f"by the current while the flats were taken"
    )


def _without_radians(scan: Scan) -> Scan:
    """Ask angles of a user back that look like radians, and warn of a file's."""
    angles, origin = scan.angles_deg.value, scan.angles_deg.origin
    if origin not in ("user", "read") or not look_like_turns_in_radians(angles):
        return scan
    if any("may be radians" in warning for warning in scan.warnings):
        return scan
    span = f"its {len(angles)} angles, {angles[0]:.6g} to {angles[-1]:.6g}"
    finding = f"{scan.angles_deg.source}: {span}, look like radians"
    degrees = f"{np.rad2deg(angles[0]):.6g}:{np.rad2deg(angles[-1]):.6g}:{len(angles)}"
    if origin == "user":
        raise ParameterError(
            f"{scan.path}: {finding}; write them in degrees, each times 57.29578, such as {degrees}"
        )
    warning = f"{finding}, and were taken for degrees; if they are radians, open it with --angles {degrees}"
    return replace(scan, warnings=(*scan.warnings, warning))


def _without_absurd(scan: Scan) -> Scan:
    """Leave out what a file says and no scan has: mostly a number whose unit is another than the format's default."""
    absurd: dict[str, Any] = {}
    warnings = []
    for field, value in scan.geometry.items():
        if field.per_view or value.origin == "user" or field.lowest <= value.value <= field.highest:
            continue
        low, high = (units.show(edge, field.unit) for edge in (field.lowest, field.highest))
        absurd[field.name] = None
        warnings.append(
            f"{value.source} was left out: {units.show(value.value, field.unit)} is no {field.words} of a scan "
            f"({low} to {high} is taken); give the right one as --{field.option}"
        )
    if not absurd:
        return scan
    geometry = scan.geometry.with_values(absurd)
    return replace(scan, geometry=geometry, warnings=(*scan.warnings, *warnings))
