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
from tomarium.model.sentence import Sentence, joined
from tomarium.pipeline.advice import advice_words as words
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
    "delta_beta": Sentence(words.EITHER, first="--delta-beta", second="--material"),
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
        How it was found, and what to make of it; it and `shown` are a `Sentence` where they hold words.
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


def advise(scan: Acquisition) -> tuple[Topic, ...]:
    """Say what follows from the numbers of a scan.

    Parameters
    ----------
    scan : Acquisition
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
    index = _index(scan)
    return (_views(scan), _disk(scan), _exposure(scan), _phase(scan, index), _transmission(scan, index))


def as_data(scan: Acquisition, topics: tuple[Topic, ...]) -> dict[str, Any]:
    """Write advice for machines.

    Parameters
    ----------
    scan : Acquisition
        What was read and given.
    topics : tuple of Topic
        What `advise` said.

    Returns
    -------
    dict
        JSON-ready: `known` (name → value, origin, source) and one dict for each topic: `values` (name → value, unit,
        why), `missing`, `warnings`.
    """
    known_values = {
        name: {
            "value": str(v.value) if name == "material" else v.value,
            "origin": v.origin,
            "source": v.source,
        }
        for name, v in scan.known().items()
    }
    return {"known": known_values} | {
        topic.name: {
            "values": {
                line.name: {"value": line.value, "unit": line.unit, "why": line.why} for line in topic.lines
            },
            "missing": list(topic.missing),
            "warnings": list(topic.warnings),
        }
        for topic in topics
    }


def _lacking(scan: Acquisition, *names: str) -> tuple[str, ...]:
    return tuple(WORDS[name] for name in names if getattr(scan, name) is None)


def _field_px(scan: Acquisition) -> Iterator[tuple[float, str]]:
    """Yield the width of what is reconstructed in pixels and why, where it can be told."""
    if scan.width is not None:
        yield scan.width.value, words.OF_VOLUME
    elif scan.columns is not None:
        columns = scan.columns.value
        yield ((2 * columns, words.OF_EXTENDED) if scan.is_extended else (columns, words.OF_DETECTOR))


def _sample_px(scan: Acquisition) -> float | None:
    if scan.sample_m is None or scan.pixel_m is None:
        return None
    return scan.sample_m.value / scan.pixel_m.value


def _views(scan: Acquisition) -> Topic:
    """Count views over half a turn, or over the whole one of an extended field, where a view sees half of it."""
    field = next(_field_px(scan), None)
    if field is None:
        return Topic("views", missing=_lacking(scan, "columns"))
    width, why = field
    warnings: list[str] = []
    sample = _sample_px(scan)
    lines = []
    if sample is not None:
        lines.append(Line("sample_px", sample, "px", f"{sample:.0f} px", words.SAMPLE_PX))
        if sample > width:
            told = words.TOO_WIDE_EXTENDED if scan.is_extended else words.TOO_WIDE
            warnings.append(Sentence(told, sample=f"{sample:.0f}", width=f"{width:.0f}"))
        else:
            width, why = sample, words.OF_SAMPLE
    turns = 2 if scan.is_extended else 1
    turn = 180 * turns
    full, usual = turns * design.views_in_full(width), turns * design.views_in_practice(width)
    lines += [
        Line(
            "views_in_full",
            full,
            "",
            f"{full}",
            Sentence(words.IN_FULL, turn=turn, width=f"{width:.0f}", why=Sentence(why)),
        ),
        Line("views_in_practice", usual, "", f"{usual}", Sentence(words.IN_PRACTICE, turn=turn)),
    ]
    if scan.views is None:
        return Topic("views", tuple(lines), (), tuple(warnings))
    if scan.span_deg is None:
        return Topic("views", tuple(lines), _lacking(scan, "span_deg"), tuple(warnings))
    half_turn_views = scan.views.value * 180 * turns / scan.span_deg.value
    step = design.rim_step_px(width, scan.span_deg.value / scan.views.value)
    there = Sentence(words.THERE, turn=turn, views=scan.views.value, span=f"{scan.span_deg.value:g}")
    sampling = Sentence(words.SAMPLING, verdict=Sentence(_verdict(half_turn_views, usual, full)))
    lines += [
        Line("views_there", half_turn_views, "", f"{half_turn_views:.0f}", there),
        Line("sampling", half_turn_views / full, "", f"{half_turn_views / full:.2f}", sampling),
        Line("rim_step_px", step, "px", f"{step:.2f} px", words.RIM_STEP),
    ]
    if half_turn_views < FEWEST * usual:
        warnings.append(
            Sentence(
                words.UNDERSAMPLED,
                views=f"{half_turn_views:.0f}",
                turn=turn,
                usual=usual,
                width=f"{width:.0f}",
                factor=f"{usual / half_turn_views:.2g}",
            )
        )
    return Topic("views", tuple(lines), (), tuple(warnings))


def _verdict(views: float, usual: float, full: float) -> str:
    if views < FEWEST * usual:
        return words.FEWER
    if views < full:
        return words.AS_USUAL
    return words.MORE if views > 1.5 * full else words.FULLY


def _disk(scan: Acquisition) -> Topic:
    if scan.columns is None or scan.rows is None:
        return Topic("disk", missing=_lacking(scan, "columns", "rows"))
    columns, rows = scan.columns.value, scan.rows.value
    width = int(next(_field_px(scan))[0])
    views, why = _views_taken(scan)
    extra = sum(value.value for value in (scan.flats, scan.darks) if value is not None)
    pixel_bytes = design.RAW_BYTES if scan.pixel_bytes is None else scan.pixel_bytes.value
    frames = Sentence(why, bytes=pixel_bytes, columns=columns, rows=rows, views=views)
    counted = (
        Sentence(words.WITH_FLATS, frames=frames, extra=extra)
        if extra
        else Sentence(words.WITHOUT_FLATS, frames=frames)
    )
    raw, volume = (
        design.raw_bytes(columns, rows, views + extra, pixel_bytes),
        design.volume_bytes(width, rows),
    )
    scans = 1 if scan.scans is None else scan.scans.value
    methods = 1 if scan.methods is None else scan.methods.value
    total = scans * (raw + methods * volume)
    fast, slow = (total / speed / 3600 for speed in reversed(TRANSFER_B_S))
    lines = [
        _bytes("raw_bytes", raw, counted),
        _bytes("volume_bytes", volume, f"4 B · {width}² × {rows}"),
        _bytes(
            "scan_bytes",
            raw + methods * volume,
            words.ONE_VOLUME if methods == 1 else Sentence(words.VOLUMES, number=methods),
        ),
    ]
    if scan.scans is not None and scans > 1:
        lines.append(_bytes("total_bytes", total, Sentence(words.SCANS, scans=scans)))
    if not scan.is_extended and methods == 1 and width == columns:
        rule = scans * design.RULE_BYTES * columns**2 * rows
        told = words.RULE_ONE if scans == 1 else words.RULE
        lines.append(_bytes("rule_bytes", rule, Sentence(told, scans=scans)))
    lines += [
        _bytes("safe_bytes", 2 * total, words.TO_BRING if scan.methods else words.TO_BRING_EACH),
        _bytes("binned_bytes", total // 8, words.BINNED),
        Line("transfer_h", [fast, slow], "h", _range(f"{fast:.2g}", f"{slow:.2g}", "h"), words.TRANSFER),
    ]
    hours, warnings = _hours(scan, scans, total)
    return Topic("disk", (*lines, *hours), (), warnings)


def _hours(scan: Acquisition, scans: int, total: int) -> tuple[list[Line], tuple[str, ...]]:
    """Tell how long the scans take, and the copy of all that comes of them; and by how much the copy is later."""
    lines = []
    if scan.scan_time_s is not None:
        scans_h = scans * scan.scan_time_s.value / 3600
        lines.append(
            Line("scans_h", scans_h, "h", f"{scans_h:.3g} h", Sentence(words.FOR_SCANS, scans=scans))
        )
    if scan.disk_b_s is not None:
        copied, speed = (total / scan.disk_b_s.value / 3600, units.show(scan.disk_b_s.value, "B", 3))
        why = Sentence(words.TO_YOUR_DISK, speed=speed)
        lines.append(Line("copy_h", copied, "h", f"{copied:.3g} h", why))
    if scan.scan_time_s is None or scan.disk_b_s is None:
        return lines, ()
    behind = copied - scans_h
    if behind <= 0:
        return lines, ()
    lines.append(Line("behind_h", behind, "h", f"{behind:.3g} h", words.LATER))
    rate = units.show(total / (scans_h * 3600), "B", 3)
    return lines, (Sentence(words.BEHIND, hours=f"{behind:.3g}", rate=rate, speed=speed),)


def _range(least: str, most: str, unit: str) -> Sentence:
    return Sentence(words.RANGE, least=least, most=most, unit=unit)


def _views_taken(scan: Acquisition) -> tuple[int, str]:
    """Return the views there are, else those that are usual for the whole field; and the words that count bytes."""
    if scan.views is not None:
        return scan.views.value, words.VIEWS_TAKEN
    width, turns = next(_field_px(scan))[0], 2 if scan.is_extended else 1
    return turns * design.views_in_practice(width), words.VIEWS_USUAL


def _bytes(name: str, count: int, why: str) -> Line:
    text = f"{units.show(count, 'B', 4)} = {count / 2**30:.4g} GiB"
    return Line(name, count, "B", text, why)


def _exposure(scan: Acquisition) -> Topic:
    """Tell how far the rim moves while a view is exposed, if the sample turns without stopping."""
    field = next(_field_px(scan), None)
    missing = _lacking(scan, "exposure_s", "span_deg", "views") + (
        _lacking(scan, "columns") if field is None else ()
    )
    if field is None:
        return Topic("exposure", missing=missing)
    width = min(field[0], _sample_px(scan) or field[0])
    if scan.speed_deg_s is not None and scan.exposure_s is not None:
        turned = scan.speed_deg_s.value * scan.exposure_s.value
        time = units.show(scan.exposure_s.value, "s")
        why = Sentence(words.TURNING, angle=f"{turned:.4g}", time=time)
        limit = degrees(2 * design.LARGEST_BLUR_PX / width) / scan.exposure_s.value
        more = [Line("fastest_deg_s", limit, "deg/s", f"{limit:.3g}°/s", words.FASTEST)]
        return _blur(design.rim_step_px(width, turned), why, more)
    if scan.views is None or scan.span_deg is None:
        return Topic("exposure", missing=missing)
    step = scan.span_deg.value / scan.views.value
    more = []
    if scan.exposure_s is not None:
        least = scan.views.value * scan.exposure_s.value
        more.append(Line("least_time_s", least, "s", _minutes(least), words.LEAST_TIME))
    topic = _blur(design.rim_step_px(width, step), words.AT_MOST, more)
    wanted = Sentence(words.FOR_WHAT_IT_IS, first="--speed", second="--exposure")
    return Topic(topic.name, topic.lines, (wanted,), ())


def _blur(blur: float, why: str, more: list[Line]) -> Topic:
    blurred = blur > design.LARGEST_BLUR_PX
    warnings = (Sentence(words.BLURRED, blur=f"{blur:.2f}"),) if blurred else ()
    return Topic("exposure", (Line("blur_px", blur, "px", f"{blur:.2f} px", why), *more), (), warnings)


def _minutes(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def _index(scan: Acquisition) -> RefractiveIndex | None:
    if scan.material is None or scan.energy_kev is None:
        return None
    return refractive_index(scan.material.value, scan.energy_kev.value)


def _phase(scan: Acquisition, index: RefractiveIndex | None) -> Topic:
    lines = [] if index is None else list(_index_lines(index))
    missing = _lacking(scan, "energy_kev", "distance_m", "pixel_m")
    if scan.delta_beta is None and scan.material is None and scan.length_px is None:
        missing += (WORDS["delta_beta"],)
    if scan.distance_m is not None and not scan.distance_m.value:
        return Topic("phase", tuple(lines), (words.A_DISTANCE,))
    warnings: list[str] = []
    energy, distance = scan.energy_kev, scan.distance_m
    if energy is not None and distance is not None:
        fringe = design.fringe_m(energy.value, distance.value)
        in_px = "" if scan.pixel_m is None else f", {fringe / scan.pixel_m.value:.2f} px"
        lines.append(Line("fringe_m", fringe, "m", f"{units.show(fringe, 'm', 3)}{in_px}", words.FRINGE))
        lines += _near_field(scan.pixel_m, energy, distance, warnings)
        lines += _paganin_length(scan, index)
    return Topic("phase", tuple(lines), missing, tuple(warnings))


def _index_lines(index: RefractiveIndex) -> Iterator[Line]:
    yield Line("delta", index.delta, "", f"{index.delta:.4g}", index.source)
    yield Line("beta", index.beta, "", f"{index.beta:.4g}", words.BETA)
    yield Line(
        "delta_beta",
        index.delta_beta,
        "",
        f"{index.delta_beta:.4g}",
        words.RATIO,
    )


def _near_field(
    pixel: Value[float] | None, energy: Value[float], distance: Value[float], warnings: list[str]
) -> Iterator[Line]:
    if pixel is None:
        return
    number = design.fresnel_number(pixel.value, energy.value, distance.value)
    near = number >= design.NEAR_FIELD
    near_field = f"{design.NEAR_FIELD:g}"
    why = Sentence(words.NEAR if near else words.NOT_NEAR, limit=near_field)
    yield Line("fresnel_number", number, "", f"{number:.3g}", why)
    if not near:
        limit = abs(distance.value) * number / design.NEAR_FIELD
        warnings.append(
            Sentence(
                words.NOT_PAGANIN,
                number=f"{number:.2g}",
                distance=units.show(limit, "m", 3),
                limit=near_field,
            )
        )


def _paganin_length(scan: Acquisition, index: RefractiveIndex | None) -> Iterator[Line]:
    assert scan.energy_kev is not None
    assert scan.distance_m is not None
    if scan.length_px is not None and scan.pixel_m is not None:
        length_px = scan.length_px.value
        ratio = ratio_of(length_px * scan.pixel_m.value, scan.energy_kev.value, scan.distance_m.value)
        why = Sentence(words.OF_LENGTH, length=f"{length_px:g}")
        yield Line("delta_beta_of_length", ratio, "", f"{ratio:.4g}", why)
    if scan.delta_beta is not None:
        ratio = scan.delta_beta.value
        why = Sentence(words.LENGTH_GIVEN, ratio=f"{ratio:.4g}")
    elif index is not None:
        ratio = index.delta_beta
        why = Sentence(words.LENGTH_OF, ratio=f"{ratio:.4g}", material=index.material)
    else:
        return
    length = length_m(ratio, scan.energy_kev.value, scan.distance_m.value)
    yield Line("paganin_length_m", length, "m", units.show(length, "m", 4), why)
    if scan.pixel_m is not None:
        pixels = length / scan.pixel_m.value
        yield Line("paganin_length_px", pixels, "px", f"{pixels:.3g} px", words.IN_PIXELS)


def _transmission(scan: Acquisition, index: RefractiveIndex | None) -> Topic:
    missing = _lacking(scan, "material", "sample_m", "energy_kev")
    if scan.material is None or scan.sample_m is None:
        return Topic("transmission", missing=missing)
    material, thickness = scan.material.value, scan.sample_m.value
    lines, warnings = [], []
    if index is not None:
        part = design.transmission(index.attenuation_1_cm, thickness)
        mu = index.attenuation_1_cm
        lines += [
            Line(
                "attenuation_1_cm",
                mu,
                "1/cm",
                f"{mu:.4g} 1/cm",
                Sentence(words.ATTENUATION, source=index.source),
            ),
            Line(
                "transmission",
                part,
                "",
                f"{100 * part:.3g} %",
                Sentence(words.THROUGH, thickness=units.show(thickness, "m")),
            ),
        ]
        if part < 0.01:
            warnings.append(Sentence(words.TOO_THICK, part=f"{100 * part:.2g}"))

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
    told = [_range(f"{low:.3g}", f"{high:.3g}", "keV") for low, high in ranges]
    text = joined(told, ", ") if told else words.NO_ENERGY
    why = Sentence(words.BEST, least=f"{100 * least:.0f}", most=f"{100 * most:.0f}")
    return Line("good_energies_kev", [list(energy_range) for energy_range in ranges], "keV", text, why)
