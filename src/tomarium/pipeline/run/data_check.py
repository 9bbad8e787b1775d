"""What makes a wrong volume of a scan, seen in a few rows of all its frames before anything is computed.

Views without information are left out with their angles; black flats are left out; what cannot give a right volume is
refused. The doctor looks at whole frames, and at more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.axis.mirror import other_turn
from tomarium.kernels.blocked_views import blocked_views, transmission_where_lit
from tomarium.kernels.truncation import Edge, truncated_views
from tomarium.model import Frames, Scan
from tomarium.model.half_acquisition import FULL_TURN_DEG, turn_deg
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.run.values_check import of_beam, of_domain, of_flats, of_rows
from tomarium.steps.core.step import View
from tomarium.steps.views.frames import ChosenFrames
from tomarium.steps.views.select_views import select_views

ROWS: Final = 4
"""Rows that are looked at, in the middle of the detector."""

BLACK: Final = 1e-3
"""Part of the flats' signal below which a view holds none."""

BLACK_FLAT: Final = 0.05
"""Part of the strongest flat below which another holds nothing."""

BRIGHTER: Final = 1.3
"""Times the flats in the brightest parts of most views, above which the exposures cannot have been the same."""

JUMP: Final = 1.3
"""Change of the mean signal from one view to the next, if it lasts, that no sample makes."""

_LASTS: Final = 5
_SATURATED: Final = 5e-3
_WRAPPED: Final = 1e-3
_OPPOSITES: Final = 8
_FEWEST_COLUMNS: Final = 64
_STUCK: Final = 10
_FEW_STUCK: Final = 0.02
_SPOT: Final = 5
_LOOKS: Final = 32
_USUAL_VIEWS: Final = 128


@dataclass(frozen=True)
class _Seen:
    """A few rows of a scan: projections, flats and the mean dark, NaN where they are not finite.

    Projections are float32 where that holds their counts: twice the memory, new each time, costs a second of a slice.
    """

    projections: NDArray[np.floating]
    flats: NDArray[np.float64] | None
    dark: NDArray[np.float64]
    raw: NDArray[Any]

    @cached_property
    def beam(self) -> NDArray[np.float64]:
        """Mean flat less the dark, shape (row, column); 1 where there are no flats."""
        beam: NDArray[np.float64] = (
            np.ones_like(self.dark) if self.flats is None else _mean(self.flats - self.dark, axis=0)
        )
        return beam

    @cached_property
    def signal(self) -> NDArray[np.floating]:
        """Projections less the dark."""
        return self.projections - self.dark.astype(self.projections.dtype)


def checked(scan: Scan, protocol: Protocol, row: int | None = None, *, force: bool = False) -> Scan:
    """Look at a few rows of all frames, and leave out what holds no information.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is to be done with it. Where it has views that choose projections by number, none is left out, for the
        numbers would mean others.
    row : int, optional
        The only row that is wanted; by default four in the middle are looked at.
    force : bool
        Whether to go on where no right volume can be made of it; what is wrong becomes a warning.

    Returns
    -------
    Scan
        Without black flats, and by view `select_views` without views that hold nothing; what was found is among its
        warnings, first.

    Raises
    ------
    InputError
        More than half of the views hold nothing, no flat is brighter than the darks, or the projections show that the
        sample turned by half or twice what the angles say.
    """
    if scan.missing or 0 in scan.shape:
        return scan
    rows = _rows(scan, row)
    notes: list[str] = []
    problems: list[str] = []
    probe_rows = _look(scan, rows)
    if probe_rows.flats is not None:
        scan, probe_rows = _without_black_flats(scan, probe_rows, notes, problems)
    blank = _blank(scan, probe_rows)
    count = len(blank)
    if blank.sum() * 2 > count:
        problems.append(
            f"{blank.sum()} of {count} projections hold no information: they are black, or not finite; copy the scan "
            f"again, "
            f"or check its flats and darks"
        )
    elif blank.any() and _numbered(protocol):
        notes.append(
            f"{blank.sum()} projections hold no information (black, or not finite), and are not left out since the "
            f"protocol chooses projections itself; drop these there: {_spelled(np.flatnonzero(blank))}"
        )
    elif blank.any():
        numbers = np.flatnonzero(blank)
        scan = select_views(scan, drop=_spelled(numbers))
        notes.append(
            f"{len(numbers)} projections hold no information (black, or not finite) and were left out with their "
            f"angles: {_told(numbers)}"
        )
        probe_rows = replace(
            probe_rows, projections=probe_rows.projections[~blank], raw=probe_rows.raw[~blank]
        )
    steps = {item.step.name for item in protocol.items}
    if not problems:
        problems += _of_turn(scan, probe_rows)
        notes += () if _numbered(protocol) else _of_shadows(scan, probe_rows)
        notes += _of_counts(scan, probe_rows, rows)
        notes += of_domain(scan, probe_rows.projections, "normalise_air" in steps)
    if row is None and not problems:
        notes += of_rows(scan)
        if "dynamic_flat_field" not in steps:
            notes += of_flats(scan)
    notes += of_beam(scan, steps)
    if problems and not force:
        raise InputError(f"{scan.path}: {'; '.join(problems)}; --force (force=True) goes on all the same")
    return replace(scan, warnings=(*problems, *notes, *scan.warnings)) if problems or notes else scan


def truncated_part(scan: Scan) -> float | None:
    """Tell in what part of the views the sample is wider than the detector, by a few of them.

    Parameters
    ----------
    scan : Scan
        The scan, with its views; four rows of at most 32 projections, of flats and darks are read.

    Returns
    -------
    float or None
        0 to 1; None where nothing tells the attenuation (no flats, or no frames).
    """
    if scan.missing or 0 in scan.shape or (scan.domain == "counts" and scan.flats is None):
        return None
    views = np.unique(np.linspace(0, scan.shape[0] - 1, _LOOKS).round().astype(np.intp))
    chosen_frames = ChosenFrames(scan.projections, views)
    probe_rows = _look(replace(scan, projections=chosen_frames), _rows(scan, None))
    at = _attenuation(scan, probe_rows)
    sinogram = np.stack([at(view) for view in range(len(views))])
    angles = scan.angles_deg.value
    if turn_deg(angles) < FULL_TURN_DEG:
        return float(truncated_views(sinogram, angles[views]).mean())
    # The sample passes over one edge in any half acquisition; where it is wider than the field, over both.
    edges: tuple[Edge, Edge] = ("left", "right")
    return min(float(truncated_views(sinogram, angles[views], edge).mean()) for edge in edges)


def _numbered(protocol: Protocol) -> bool:
    return any(
        isinstance(item.step, View) and item.step.name not in ("crop", "bin") for item in protocol.items
    )


def _rows(scan: Scan, row: int | None) -> slice:
    height = scan.shape[1]
    if row is not None and 0 <= row < height:
        return slice(row, row + 1)
    first = max(0, height // 2 - ROWS // 2)
    return slice(first, min(height, first + ROWS))


def _read(frames: Frames, rows: slice) -> NDArray[Any]:
    return frames.read(slice(0, frames.shape[0]), rows)


def _numbers(raw: NDArray[Any], least: Any = np.float64) -> NDArray[Any]:
    numbers = raw.astype(np.result_type(raw.dtype, least))
    if raw.dtype.kind == "f":
        numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _mean(values: NDArray[np.floating], axis: Any = None) -> Any:
    """Mean of what is finite; NaN where nothing is."""
    good = np.isfinite(values)
    if good.all():
        return values.mean(axis=axis, dtype=np.float64)
    count = good.sum(axis=axis)
    total = values.sum(axis=axis, dtype=np.float64, where=good)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _look(scan: Scan, rows: slice) -> _Seen:
    raw = _read(scan.projections, rows)
    shape = raw.shape[1:]
    counts = scan.domain == "counts"
    flats = _numbers(_read(scan.flats.frames, rows)) if counts and scan.flats is not None else None
    dark = np.zeros(shape)
    if counts and scan.darks is not None:
        dark = np.nan_to_num(_mean(_numbers(_read(scan.darks.frames, rows)), axis=0))
    return _Seen(_numbers(raw, np.float32), flats, dark, raw)


def _without_black_flats(
    scan: Scan, probe_rows: _Seen, notes: list[str], problems: list[str]
) -> tuple[Scan, _Seen]:
    assert scan.flats is not None
    assert probe_rows.flats is not None
    dark = probe_rows.dark
    signal = np.nan_to_num(_mean(probe_rows.flats - dark, axis=(1, 2)), nan=-np.inf)
    strongest = float(signal.max())
    if not strongest > 0:
        level = "not finite" if not np.isfinite(strongest) else f"{strongest + dark.mean():.4g} counts"
        problems.append(
            f"no flat is brighter than the darks (the brightest is {level}, the darks {dark.mean():.4g}): flats and "
            f"darks are swapped, or the flats were taken without beam"
        )
        return scan, probe_rows
    black = signal <= BLACK_FLAT * strongest
    if not black.any():
        return scan, probe_rows
    notes.append(
        f"{black.sum()} of {len(black)} flats are black or not finite and were left out: numbers "
        f"{_told(np.flatnonzero(black))}"
    )
    not_black = np.flatnonzero(~black)
    good = replace(
        scan.flats, frames=ChosenFrames(scan.flats.frames, not_black), position=scan.flats.position[not_black]
    )
    return replace(scan, flats=good), replace(probe_rows, flats=probe_rows.flats[not_black])


def _lost(probe_rows: _Seen) -> NDArray[np.bool_]:
    return np.asarray(~np.isfinite(probe_rows.projections))


def _blank(scan: Scan, probe_rows: _Seen) -> NDArray[np.bool_]:
    """Tell which views hold nothing, shape (angle,)."""
    blank = np.asarray(_lost(probe_rows).mean(axis=(1, 2)) > 0.5)
    if scan.domain == "attenuation":
        return blank
    signal = _mean(probe_rows.signal, axis=(1, 2))
    full = 1.0
    if scan.domain == "counts":
        if probe_rows.flats is None:  # nothing tells how bright the beam is
            return blank
        full = float(np.nan_to_num(_mean(probe_rows.flats - probe_rows.dark)))
    return np.asarray(blank | (np.nan_to_num(signal, nan=-np.inf) <= BLACK * full))


def _of_turn(scan: Scan, probe_rows: _Seen) -> Iterator[str]:
    """Tell where the projections show that the sample turned by half or twice what the angles say."""
    angles = scan.angles_deg.value
    views = len(angles)
    if (
        views < 8
        or probe_rows.projections.shape[2] < _FEWEST_COLUMNS
        or (probe_rows.flats is None and scan.domain == "counts")
    ):
        return
    step = float(np.median(np.abs(np.diff(angles))))
    starts = np.linspace(0, views - 1, 4 * _OPPOSITES).round().astype(int)
    apart = np.abs(angles[None] - angles[starts, None] - 180.0)
    close = apart.min(axis=1) < max(1.0, 1.5 * step)
    opposites = list(zip(starts[close], apart.argmin(axis=1)[close], strict=True))[:_OPPOSITES]
    middle = [
        (k, k + views // 2) for k in np.linspace(0, views - 1 - views // 2, _OPPOSITES).round().astype(int)
    ]
    at = _attenuation(scan, probe_rows)
    span = float(np.ptp(angles)) * views / (views - 1)
    turned = other_turn(
        span,
        at(0),
        at(views - 1),
        [(at(first), at(second)) for first, second in opposites],
        [(at(first), at(second)) for first, second in middle],
    )
    if turned is not None:
        yield (
            f"the angles tell a turn of {span:.5g}°, but by which projections mirror each other the sample turned by "
            f"{turned}°, and the volume would be wrong; give the angles with --angles 0:{turned}:{views}"
        )


def _of_shadows(scan: Scan, probe_rows: _Seen) -> Iterator[str]:
    """Tell where something stands before the sample in some views."""
    if (
        scan.domain == "attenuation"
        or len(probe_rows.projections) < 8
        or (probe_rows.flats is None and scan.domain == "counts")
    ):
        return
    through = transmission_where_lit(probe_rows.signal, probe_rows.beam)
    count = int(blocked_views(through, scan.angles_deg.value).sum())
    if count:
        yield (
            f"{count} of {len(through)} projections are partly blocked by what is not the sample: expect dark "
            f"streaks; --step remove_blocked_views leaves them out"
        )


def _attenuation(scan: Scan, probe_rows: _Seen) -> Callable[[int], NDArray[np.float32]]:
    """Return what gives the attenuation of a view, shape (row, column), without defective pixels and single spots."""
    beam = probe_rows.beam
    usual = np.nanmedian(beam, axis=1, keepdims=True)
    deviation = np.abs(probe_rows.dark - np.median(probe_rows.dark, axis=1, keepdims=True))
    good = (beam > 0.3 * usual) & (beam < 3 * usual) & (deviation <= 0.02 * usual)
    columns = np.arange(good.shape[1])

    def of_view(view: int) -> NDArray[np.float32]:
        values = probe_rows.projections[view]
        if scan.domain != "attenuation":
            with np.errstate(divide="ignore", invalid="ignore"):
                values = -np.log(np.clip((values - probe_rows.dark) / beam, 1e-3, 10.0))
        valid = good & np.isfinite(values)
        filled = [
            np.interp(columns, columns[valid_row], row[valid_row]) if valid_row.any() else np.zeros(len(row))
            for row, valid_row in zip(values, valid, strict=True)
        ]
        beside = np.pad(np.asarray(filled, np.float32), ((0, 0), (_SPOT // 2, _SPOT // 2)), mode="edge")
        return np.median(np.lib.stride_tricks.sliding_window_view(beside, _SPOT, axis=1), axis=-1)

    return of_view


def _of_pixels(raw: NDArray[Any], flats: NDArray[np.float64], rows: slice) -> Iterator[str]:
    """Tell which pixels stop counting within the scan: the same number in all of its last views, but not before."""
    last = max(_STUCK, len(raw) // 20)
    if len(raw) < 4 * last:
        return

    def stuck(part: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray(part.max(axis=0) == part.min(axis=0))

    alive = flats.max(axis=0) > flats.min(axis=0) if len(flats) > 2 else np.ones(raw.shape[1:], np.bool_)
    dead = stuck(raw[-last:]) & ~stuck(raw[:last]) & alive
    # Images without noise, or an opaque body: neighbours then count the same, too.
    if not dead.any() or np.mean(stuck(raw[-last:])) > _FEW_STUCK:
        return
    row, column = (int(n) for n in np.argwhere(dead)[0])
    values = raw[:, row, column]
    since = int(np.flatnonzero(values != values[-1])[-1]) + 1
    yield (
        f"{np.count_nonzero(dead)} of {dead.size} pixels looked at stop counting within the scan, as that of row "
        f"{rows.start + row} and column {column} from projection {since} on: expect parts of rings; the step "
        f"remove_spikes or remove_stripes lessens them"
    )


def _of_counts(scan: Scan, probe_rows: _Seen, rows: slice) -> Iterator[str]:
    """Tell what the detector's counts show: saturation, other exposures, pixels that die."""
    if scan.domain != "counts":
        return
    raw = probe_rows.raw
    if raw.dtype.kind in "iu" and raw.size:
        yield from _of_integers(raw, probe_rows.flats)
    if probe_rows.flats is None:
        return
    flat = probe_rows.beam
    chosen = np.unique(np.linspace(0, len(raw) - 1, _USUAL_VIEWS).round().astype(np.intp))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(flat > 0, probe_rows.signal[chosen] / flat, np.nan)
    brightest = np.nanmedian(np.nanpercentile(ratio.reshape(len(ratio), -1), 95, axis=1))
    if brightest > BRIGHTER:
        yield (
            f"the projections are {brightest:.3g} times as bright as the flats where nothing absorbs: exposure or "
            f"beam differed, or the sample stood in the flats; the attenuation is wrong by -ln {brightest:.3g} or "
            f"more, so look at the flats, and take others with --flats where there are any"
        )
    yield from _jumps(_mean(probe_rows.signal, axis=(1, 2)))
    if raw.dtype.kind in "iu":
        yield from _of_pixels(raw, probe_rows.flats, rows)


def _jumps(signal: NDArray[np.float64]) -> Iterator[str]:
    """Tell where the mean signal changes from one view to the next and stays so."""
    if len(signal) < 4 * _LASTS or not (signal > 0).all():
        return
    level = np.log(signal)
    steps = np.diff(level)
    for k in np.flatnonzero(np.abs(steps) > np.log(JUMP)):
        before, after = level[max(0, k + 1 - _LASTS) : k + 1], level[k + 1 : k + 1 + _LASTS]
        if len(before) < _LASTS or len(after) < _LASTS:
            continue
        change = float(np.median(after) - np.median(before))
        until_the_end = float(np.median(level[k + 1 :]) - np.median(level[: k + 1]))
        if (
            abs(change) > np.log(JUMP)
            and until_the_end * np.sign(change) > np.log(JUMP)
            and np.ptp(before) < abs(change) / 2
            and np.ptp(after) < abs(change) / 2
        ):
            yield (
                f"the signal changes by a factor of {np.exp(change):.3g} between the projections {k} and {k + 1} and "
                f"stays so: exposure or beam changed within the scan"
            )
            return


def _of_integers(raw: NDArray[Any], flats: NDArray[np.float64] | None) -> Iterator[str]:
    # A hot or dead pixel counts the same in every view; that is neither saturation nor a wrapped count.
    steady = raw.max(axis=0) == raw.min(axis=0)
    if steady.mean() > _FEW_STUCK or not raw.shape[0] > 1:
        steady[...] = False
    # A sample that fills the field leaves the projections below what saturates the flats: each is looked at alone.
    for what, frames in (("projections", raw), ("flats", flats)):
        if frames is None:
            continue
        seen = frames[:, ~steady] if steady.any() else frames
        if not seen.size:
            continue
        highest = int((seen if seen.dtype.kind in "iu" else np.nan_to_num(seen, posinf=0)).max())
        ceiling = highest == np.iinfo(raw.dtype).max or (highest > 200 and (highest + 1) & highest == 0)
        share = float(np.mean(seen == highest)) if ceiling else 0.0
        if share > _SATURATED:
            yield (
                f"{100 * share:.3g} % of the counts of the {what} are {highest}, the highest the detector can tell: "
                f"they are saturated, and the attenuation there is wrong"
            )
    if raw.dtype.itemsize <= 2 and raw.shape[2] > 1:
        span = np.iinfo(raw.dtype).max - int(np.iinfo(raw.dtype).min)
        neither_steady = ~(steady[:, 1:] | steady[:, :-1])
        wide = _steps(raw) > 0.75 * span
        wrapped = float(np.mean(wide if neither_steady.all() else wide[:, neither_steady]))
        if wrapped > _WRAPPED:
            yield (
                f"{100 * wrapped:.3g} % of neighbouring counts differ by nearly all that {raw.dtype} can hold: "
                f"counts above its range began again at its lowest"
            )


def _steps(raw: NDArray[Any]) -> NDArray[Any]:
    """Amount by which neighbouring counts of 16 bits at most differ."""
    left, right = raw[..., :-1], raw[..., 1:]
    return np.asarray(np.maximum(left, right) - np.minimum(left, right)).view(f"u{raw.itemsize}")


def _spelled(numbers: NDArray[np.intp]) -> str:
    """Spell numbers as ranges, "3,10:12"."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ",".join(
        str(part[0]) if len(part) == 1 else f"{part[0]}:{part[-1] + 1}" for part in parts if len(part)
    )


def _told(numbers: NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return shown if len(numbers) <= 8 else f"{shown} … {numbers[-1]}"
