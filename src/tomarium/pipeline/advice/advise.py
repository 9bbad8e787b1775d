"""Advice on a scan by its numbers; what a topic lacks is named, and nothing is assumed in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import degrees
from typing import Any, Final

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.kernels import scan_design as design
from tomarium.kernels.paganin import delta_beta as ratio_of
from tomarium.kernels.paganin import length_m
from tomarium.kernels.refractive_index import ENERGIES_KEV, RefractiveIndex, refractive_index
from tomarium.model import Value
from tomarium.pipeline.advice.acquisition import Acquisition

TRANSFER_B_S: Final = 40e6, 100e6
"""Speeds at which disks are filled at beamlines, B/s (ANATOMIX user guide)."""

GOOD_TRANSMISSION: Final = 0.1, 0.2
"""Part of the beam behind the sample at which noise in the slices is least (mu D about 2)."""

FEWEST: Final = 0.95
"""Part of the usual views that is as good: the field takes 2000 for 2048 columns."""

WORDS: Final = {
    "columns": "--columns",
    "rows": "--rows",
    "views": "--views",
    "span_deg": "--span",
    "pixel_m": "--pixel",
    "energy_kev": "--energy",
    "distance_m": "--distance",
    "sample_m": "--sample",
    "material": "--material",
    "delta_beta": "--delta-beta or --material",
    "exposure_s": "--exposure",
}
"""Field of an acquisition → what to give on the command line."""


@dataclass(frozen=True)
class Line:
    """One number of advice.

    Attributes
    ----------
    name : str
        What it is, a word for machines.
    value : object
        Number, JSON-ready.
    unit : str
        Its unit, "" where it has none.
    shown : str
        The number as people read it.
    why : str
        How it was found, and what to make of it.
    """

    name: str
    value: Any
    unit: str
    shown: str
    why: str


@dataclass(frozen=True)
class Topic:
    """Advice on one thing.

    Attributes
    ----------
    name : str
        "views", "disk", "phase", "exposure" or "transmission".
    lines : tuple of Line
        What can be said.
    missing : tuple of str
        What is to be given for more, as options of the command line.
    warnings : tuple of str
        What will spoil the result.
    """

    name: str
    lines: tuple[Line, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def advise(known: Acquisition) -> tuple[Topic, ...]:
    """Say what follows from the numbers of a scan.

    Parameters
    ----------
    known : Acquisition
        What was read and given.

    Returns
    -------
    tuple of Topic
        Views, disk, exposure, phase, transmission, in this order; each says what it lacks.

    Raises
    ------
    ParameterError
        The material's tables do not reach to the energy.
    """
    index = _index(known)
    return (_views(known), _disk(known), _exposure(known), _phase(known, index), _transmission(known, index))


def as_data(known: Acquisition, topics: tuple[Topic, ...]) -> dict[str, Any]:
    """Write advice for machines.

    Parameters
    ----------
    known : Acquisition
        What was read and given.
    topics : tuple of Topic
        What `advise` said.

    Returns
    -------
    dict
        JSON-ready: `known` (name → value, origin, source) and one dict for each topic: `values` (name → value, unit,
        why), `missing`, `warnings`.
    """
    told = {
        name: {
            "value": str(v.value) if name == "material" else v.value,
            "origin": v.origin,
            "source": v.source,
        }
        for name, v in known.known().items()
    }
    return {"known": told} | {
        topic.name: {
            "values": {
                line.name: {"value": line.value, "unit": line.unit, "why": line.why} for line in topic.lines
            },
            "missing": list(topic.missing),
            "warnings": list(topic.warnings),
        }
        for topic in topics
    }


def _lacking(known: Acquisition, *names: str) -> tuple[str, ...]:
    return tuple(WORDS[name] for name in names if getattr(known, name) is None)


def _field_px(known: Acquisition) -> Iterator[tuple[float, str]]:
    """Yield the width of what is reconstructed in pixels and why, where it can be told."""
    if known.width is not None:
        yield known.width.value, "the width of the volume"
    elif known.columns is not None:
        columns = known.columns.value
        yield (
            (2 * columns, "twice the columns, for the extended field")
            if known.is_extended
            else (columns, "the columns of the detector")
        )


def _sample_px(known: Acquisition) -> float | None:
    if known.sample_m is None or known.pixel_m is None:
        return None
    return known.sample_m.value / known.pixel_m.value


def _views(known: Acquisition) -> Topic:
    """Count views over half a turn, or over the whole one of an extended field, where a view sees half of it."""
    field = next(_field_px(known), None)
    if field is None:
        return Topic("views", missing=_lacking(known, "columns"))
    width, why = field
    warnings: list[str] = []
    sample = _sample_px(known)
    lines = []
    if sample is not None:
        lines.append(Line("sample_px", sample, "px", f"{sample:.0f} px", "diameter of the sample over pixel"))
        if sample > width:
            warnings.append(
                f"the sample is {sample:.0f} px wide, the field of view {width:.0f} px: "
                + (
                    "grey values are right to some percent only"
                    if known.is_extended
                    else "take an extended field"
                )
            )
        else:
            width, why = sample, "the diameter of the sample"
    turns = 2 if known.is_extended else 1
    turn = f"over {180 * turns}°"
    full, usual = turns * design.views_in_full(width), turns * design.views_in_practice(width)
    lines += [
        Line("views_in_full", full, "", f"{full}", f"{turn}, π/2 · {width:.0f} px, {why}: 1 px at the rim"),
        Line(
            "views_in_practice",
            usual,
            "",
            f"{usual}",
            f"{turn}, as usual: 1.57 px at the rim from view to view",
        ),
    ]
    if known.views is None:
        return Topic("views", tuple(lines), (), tuple(warnings))
    if known.span_deg is None:
        return Topic("views", tuple(lines), _lacking(known, "span_deg"), tuple(warnings))
    there = known.views.value * 180 * turns / known.span_deg.value
    step = design.rim_step_px(width, known.span_deg.value / known.views.value)
    verdict = _verdict(there, usual, full)
    lines += [
        Line(
            "views_there",
            there,
            "",
            f"{there:.0f}",
            f"{turn}, {known.views.value} over {known.span_deg.value:g}°",
        ),
        Line("sampling", there / full, "", f"{there / full:.2f}", f"of full sampling: {verdict}"),
        Line("rim_step_px", step, "px", f"{step:.2f} px", "at the rim from view to view"),
    ]
    if there < FEWEST * usual:
        warnings.append(
            f"undersampled: {there:.0f} views {turn} where {usual} are usual for {width:.0f} px; take more views, "
            f"or bin {usual / there:.2g}-fold, or expect streaks towards the rim"
        )
    return Topic("views", tuple(lines), (), tuple(warnings))


def _verdict(there: float, usual: float, full: float) -> str:
    if there < FEWEST * usual:
        return "undersampled"
    if there < full:
        return "as usual, fewer than in full"
    return "oversampled, which costs disk space alone" if there > 1.5 * full else "in full"


def _disk(known: Acquisition) -> Topic:
    if known.columns is None or known.rows is None:
        return Topic("disk", missing=_lacking(known, "columns", "rows"))
    columns, rows = known.columns.value, known.rows.value
    width = int(next(_field_px(known))[0])
    views, why = _views_taken(known)
    extra = sum(value.value for value in (known.flats, known.darks) if value is not None)
    more = f" and {extra} flats and darks" if extra else ", flats and darks not counted"
    each = design.RAW_BYTES if known.pixel_bytes is None else known.pixel_bytes.value
    raw, volume = design.raw_bytes(columns, rows, views + extra, each), design.volume_bytes(width, rows)
    scans = 1 if known.scans is None else known.scans.value
    methods = 1 if known.methods is None else known.methods.value
    total = scans * (raw + methods * volume)
    fast, slow = (total / speed / 3600 for speed in reversed(TRANSFER_B_S))
    lines = [
        _bytes("raw_bytes", raw, f"{each} B · {columns} × {rows} · {views} {why}{more}"),
        _bytes("volume_bytes", volume, f"4 B · {width}² × {rows}"),
        _bytes(
            "scan_bytes",
            raw + methods * volume,
            f"raw data and {'one volume' if methods == 1 else f'{methods} volumes'}",
        ),
    ]
    if known.scans is not None and scans > 1:
        lines.append(_bytes("total_bytes", total, f"{scans} scans"))
    if not known.is_extended and methods == 1 and width == columns:
        rule = scans * design.RULE_BYTES * columns**2 * rows
        lines.append(
            _bytes(
                "rule_bytes",
                rule,
                f"by the rule 6 n_s n_x² n_z, with as many views as columns: {scans} scans",
            )
        )
    lines += [
        _bytes(
            "safe_bytes",
            2 * total,
            "disk to bring, twice that" + ("" if known.methods else "; each further volume comes on top"),
        ),
        _bytes("binned_bytes", total // 8, "with 2 × 2 binning and half as many views, about an eighth"),
        Line("transfer_h", [fast, slow], "h", f"{fast:.2g} to {slow:.2g} h", "to copy it at 100 to 40 MB/s"),
    ]
    hours, warnings = _hours(known, scans, total)
    return Topic("disk", (*lines, *hours), (), warnings)


def _hours(known: Acquisition, scans: int, total: int) -> tuple[list[Line], tuple[str, ...]]:
    """Tell how long the scans take, and the copy of all that comes of them; and by how much the copy is later."""
    lines = []
    if known.scan_time_s is not None:
        taken = scans * known.scan_time_s.value / 3600
        lines.append(Line("scans_h", taken, "h", f"{taken:.3g} h", f"for {scans} scans"))
    if known.disk_b_s is not None:
        copied, speed = total / known.disk_b_s.value / 3600, units.show(known.disk_b_s.value, "B", 3)
        lines.append(Line("copy_h", copied, "h", f"{copied:.3g} h", f"to copy it to your disk at {speed}/s"))
    if known.scan_time_s is None or known.disk_b_s is None:
        return lines, ()
    behind = copied - taken
    if behind <= 0:
        return lines, ()
    lines.append(
        Line("behind_h", behind, "h", f"{behind:.3g} h", "from the last scan to the end of the copy")
    )
    needed = total / (taken * 3600)
    return lines, (
        f"your disk falls behind by {behind:.3g} h: data come at {units.show(needed, 'B', 3)}/s, it takes {speed}/s; "
        f"bring a second one, or a quicker one",
    )


def _views_taken(known: Acquisition) -> tuple[int, str]:
    """Return the views there are, else those that are usual for the whole field."""
    if known.views is not None:
        return known.views.value, "views"
    width, turns = next(_field_px(known))[0], 2 if known.is_extended else 1
    return turns * design.views_in_practice(width), "views, as usual for this width"


def _bytes(name: str, count: int, why: str) -> Line:
    shown = f"{units.show(count, 'B', 4)} = {count / 2**30:.4g} GiB"
    return Line(name, count, "B", shown, why)


def _exposure(known: Acquisition) -> Topic:
    """Tell how far the rim moves while a view is exposed, if the sample turns without stopping."""
    field = next(_field_px(known), None)
    missing = _lacking(known, "exposure_s", "span_deg", "views") + (
        _lacking(known, "columns") if field is None else ()
    )
    if field is None:
        return Topic("exposure", missing=missing)
    width = min(field[0], _sample_px(known) or field[0])
    if known.speed_deg_s is not None and known.exposure_s is not None:
        turned = known.speed_deg_s.value * known.exposure_s.value
        why = f"while the sample turns by {turned:.4g}° in {units.show(known.exposure_s.value, 's')}"
        limit = degrees(2 * design.LARGEST_BLUR_PX / width) / known.exposure_s.value
        more = [Line("fastest_deg_s", limit, "deg/s", f"{limit:.3g}°/s", "speed for which that is 1 px")]
        return _blur(design.rim_step_px(width, turned), why, more)
    if known.views is None or known.span_deg is None:
        return Topic("exposure", missing=missing)
    step = known.span_deg.value / known.views.value
    more = []
    if known.exposure_s is not None:
        least = known.views.value * known.exposure_s.value
        more.append(
            Line("least_time_s", least, "s", _minutes(least), "views times exposure: the scan takes longer")
        )
    why = "at most, if the sample turns without stopping and the shutter never closes"
    topic = _blur(design.rim_step_px(width, step), why, more)
    return Topic(topic.name, topic.lines, ("--speed and --exposure, for what it is",), ())


def _blur(blur: float, why: str, more: list[Line]) -> Topic:
    warnings = (
        (f"the rim is blurred by {blur:.2f} px during an exposure: turn more slowly or expose more briefly",)
        if blur > design.LARGEST_BLUR_PX
        else ()
    )
    return Topic(
        "exposure", (Line("blur_px", blur, "px", f"{blur:.2f} px", f"at the rim, {why}"), *more), (), warnings
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def _index(known: Acquisition) -> RefractiveIndex | None:
    if known.material is None or known.energy_kev is None:
        return None
    return refractive_index(known.material.value, known.energy_kev.value)


def _phase(known: Acquisition, index: RefractiveIndex | None) -> Topic:
    lines = [] if index is None else list(_index_lines(index))
    missing = _lacking(known, "energy_kev", "distance_m", "pixel_m")
    if known.delta_beta is None and known.material is None and known.length_px is None:
        missing += (WORDS["delta_beta"],)
    if known.distance_m is not None and not known.distance_m.value:
        return Topic("phase", tuple(lines), ("a distance other than 0: there is no propagation without one",))
    warnings: list[str] = []
    energy, distance = known.energy_kev, known.distance_m
    if energy is not None and distance is not None:
        fringe = design.fringe_m(energy.value, distance.value)
        in_px = "" if known.pixel_m is None else f", {fringe / known.pixel_m.value:.2f} px"
        lines.append(
            Line("fringe_m", fringe, "m", f"{units.show(fringe, 'm', 3)}{in_px}", "first fringe, √(λR)")
        )
        lines += _near_field(known.pixel_m, energy, distance, warnings)
        lines += _paganin_length(known, index)
    return Topic("phase", tuple(lines), missing, tuple(warnings))


def _index_lines(index: RefractiveIndex) -> Iterator[Line]:
    yield Line("delta", index.delta, "", f"{index.delta:.4g}", index.source)
    yield Line("beta", index.beta, "", f"{index.beta:.4g}", "of the total attenuation, scattering included")
    yield Line(
        "delta_beta",
        index.delta_beta,
        "",
        f"{index.delta_beta:.4g}",
        "their ratio, for --set paganin.delta_beta",
    )


def _near_field(
    pixel: Value[float] | None, energy: Value[float], distance: Value[float], warnings: list[str]
) -> Iterator[Line]:
    if pixel is None:
        return
    number = design.fresnel_number(pixel.value, energy.value, distance.value)
    near = number >= design.NEAR_FIELD
    why = (
        f"p²/(λR): {'near-field' if near else 'beyond the near field'}, which begins at {design.NEAR_FIELD:g}"
    )
    yield Line("fresnel_number", number, "", f"{number:.3g}", why)
    if not near:
        limit = abs(distance.value) * number / design.NEAR_FIELD
        warnings.append(
            f"the Fresnel number of a pixel is {number:.2g}: Paganin's filter is not right for the finest "
            f"detail; at "
            f"{units.show(limit, 'm', 3)} it would be {design.NEAR_FIELD:g}"
        )


def _paganin_length(known: Acquisition, index: RefractiveIndex | None) -> Iterator[Line]:
    assert known.energy_kev is not None
    assert known.distance_m is not None
    if known.length_px is not None and known.pixel_m is not None:
        told = known.length_px.value
        ratio = ratio_of(told * known.pixel_m.value, known.energy_kev.value, known.distance_m.value)
        why = f"δ/β that a filter of {told:g} px stands for, L² / (πλR)"
        yield Line("delta_beta_of_length", ratio, "", f"{ratio:.4g}", why)
    if known.delta_beta is not None:
        ratio, of = known.delta_beta.value, "as given"
    elif index is not None:
        ratio, of = index.delta_beta, f"of {index.material}"
    else:
        return
    length = length_m(ratio, known.energy_kev.value, known.distance_m.value)
    why = f"Paganin's length √(πλR δ/β), δ/β {ratio:.4g} {of}"
    yield Line("paganin_length_m", length, "m", units.show(length, "m", 4), why)
    if known.pixel_m is not None:
        pixels = length / known.pixel_m.value
        yield Line("paganin_length_px", pixels, "px", f"{pixels:.3g} px", "the same in pixels")


def _transmission(known: Acquisition, index: RefractiveIndex | None) -> Topic:
    missing = _lacking(known, "material", "sample_m", "energy_kev")
    if known.material is None or known.sample_m is None:
        return Topic("transmission", missing=missing)
    material, thickness = known.material.value, known.sample_m.value
    lines, warnings = [], []
    if index is not None:
        part = design.transmission(index.attenuation_1_cm, thickness)
        mu = index.attenuation_1_cm
        lines += [
            Line("attenuation_1_cm", mu, "1/cm", f"{mu:.4g} 1/cm", f"µ, {index.source}"),
            Line(
                "transmission",
                part,
                "",
                f"{100 * part:.3g} %",
                f"exp(-µD) through {units.show(thickness, 'm')}",
            ),
        ]
        if part < 0.01:
            warnings.append(
                f"{100 * part:.2g} % of the beam goes through the sample: slices will be noise and streaks"
            )

    def at(energy_kev: float) -> float:
        try:
            return design.transmission(refractive_index(material, energy_kev).attenuation_1_cm, thickness)
        except ParameterError:  # where delta is no decrement, at an edge
            return -1.0

    lines.append(_good_energies(at))
    return Topic("transmission", tuple(lines), missing, tuple(warnings))


def _good_energies(at: Callable[[float], float]) -> Line:
    least, most = GOOD_TRANSMISSION
    ranges = design.energies_for(at, least, most, low_kev=max(1.0, ENERGIES_KEV[0]), high_kev=ENERGIES_KEV[1])
    shown = ", ".join(f"{low:.3g} to {high:.3g} keV" for low, high in ranges) or "none from 1 to 800 keV"
    why = f"where {100 * least:.0f} to {100 * most:.0f} % go through, for least noise (µD about 2)"
    return Line("good_energies_kev", [list(one) for one in ranges], "keV", shown, why)
