"""PCO Dimax recordings: multi-page TIFFs of a ring buffer, in which the sample turns several times.

The camera overwrites its oldest frame, so the file may begin amid the recording. Time stamps give the order; without
them the largest step between neighbours is where it begins. Camware splits long recordings into `name.tif`,
`name@0001.tif` … . A `.par` beside them tells the projections of a turn; else the period of the pictures does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, ParameterError
from tomarium.formats.format import Format, Match
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.opening.directory_listing import ending_in
from tomarium.formats.opening.filenames import natural
from tomarium.formats.pco.ring_buffer import (
    ChosenFrames,
    ring_start,
    rotation_period,
    seam_is_clear,
    signatures,
)
from tomarium.formats.pyhst.par import read_par
from tomarium.formats.pyhst.par_syntax import ParFile
from tomarium.formats.tiff.frames import (
    TiffFrames,
    frames_of,
    guarded,
    is_stack,
    opened_tiff,
    page_count,
)
from tomarium.formats.tiff.ifd_check import SIGNATURES
from tomarium.formats.tiff.metadata import hyperstack_said, is_volume
from tomarium.formats.tiff.pco_timestamp import PIXELS, Stamps, decode_stamps, stamp_of_file
from tomarium.formats.tiff.series import SUFFIXES, kind_of, tiffs_in
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import Reference

_TURN: Final = "turn "
_ALL: Final = "all turns"
_TURN_DEG: Final = 360.0
# A period may differ from the one the .par tells by this many frames.
_TOLERANCE: Final = 0.5
# A turn may be cut short or overlap by some steps.
_MOST_STEPS: Final = 2.5


@dataclass(frozen=True)
class _Recording:
    """The files of a recording, and what the .par beside them tells."""

    projections: tuple[Path, ...]
    flats: tuple[Path, ...]
    darks: tuple[Path, ...]
    par: Path | None


def detect(path: Path) -> Match | None:
    """Look for TIFF files of many pages with PCO time stamps.

    Result: None where there are none; a low score where the pages have no time stamps, so that a recording
    without them is opened only by name, `as_format="dimax"`.
    """
    recording = _recording(path)
    if recording is None:
        return None
    first = recording.projections[0]
    try:
        with guarded(first), opened_tiff(first) as tif:
            pages, stack, volume = page_count(tif), is_stack(tif), is_volume(tif) or hyperstack_said(tif)
    except FormatError:
        return None
    if not stack or volume is not None:
        return None
    parts = (
        f"{len(recording.projections)} TIFF files, the first"
        if len(recording.projections) > 1
        else "a TIFF file"
    )
    if stamp_of_file(first) is None:
        return Match(0.3, "without stamps", f"{parts} of {pages} pages; a ring buffer if you say so")
    turns: tuple[str, ...] = ()
    views_of_turn = _from_par(recording)[0]
    if views_of_turn is not None:
        total = sum(_page_count(file) for file in recording.projections)
        turns = tuple(f"{_TURN}{number}" for number in range(total // views_of_turn))
    return Match(
        0.85, "time stamps", f"{parts} of {pages} pages that carry PCO time stamps", turns[0] if turns else "",
        (*turns, _ALL),
    )  # fmt: skip


def _page_count(file: Path) -> int:
    with guarded(file), opened_tiff(file) as tif:
        return page_count(tif)


def _recording(path: Path) -> _Recording | None:
    try:
        if path.is_file():
            with path.open("rb") as stream:
                if stream.read(4) not in SIGNATURES:
                    return None
            # A part's own name leads to the others: name.tif, name@0001.tif.
            stem = re.sub(r"@\d+$", "", path.stem)
            parts = ending_in(path.parent, *SUFFIXES)
            parts_of_recording = [file for file in parts if re.sub(r"@\d+$", "", file.stem) == stem] or [path]
            par = path.parent / f"{stem}.par"
            return _Recording(
                tuple(sorted(parts_of_recording, key=natural)), (), (), par if par.is_file() else None
            )
        if not path.is_dir():
            return None
        files, _ = tiffs_in(path)
        pars = sorted(path.glob("*.par"))
    except OSError:
        return None
    sorted_into: dict[FrameKind, list[Path]] = {kind: [] for kind in FrameKind}
    for file in sorted(files, key=natural):
        sorted_into[kind_of(file, path)].append(file)
    kinds = {kind: tuple(files_of_kind) for kind, files_of_kind in sorted_into.items()}
    if not kinds[FrameKind.PROJECTION]:
        return None
    beside = next((file for file in pars if file.stem == path.name), pars[0] if len(pars) == 1 else None)
    return _Recording(kinds[FrameKind.PROJECTION], kinds[FrameKind.FLAT], kinds[FrameKind.DARK], beside)


def _from_par(recording: _Recording) -> tuple[int | None, float | None, ParFile | None]:
    """Return projections of a turn and degrees between them, as the .par tells."""
    if recording.par is None:
        return None, None, None
    par = read_par(recording.par)
    first, last = par.values.get("NUM_FIRST_IMAGE", 0), par.values.get("NUM_LAST_IMAGE")
    step = par.values.get("ANGLE_BETWEEN_PROJECTIONS")
    views_of_turn = (
        last - first + 1 if isinstance(last, int) and isinstance(first, int) and last >= first else None
    )
    step_known = (
        float(step) if isinstance(step, int | float) and not isinstance(step, bool) and step else None
    )
    return views_of_turn, step_known, par


def read(path: Path, match: Match) -> Scan:
    """Open one turn of a recording: the one `match.entry` names, else the first; or "all turns" as one long scan.

    `path`: folder, or one of its files. Result: the frames of that turn, or of all, in the order they were
    taken; the angles of all go on from turn to turn. Raises FormatError: a file is damaged, or there are too
    few frames.
    """
    if match.entry == _ALL:
        return _opened(path, match, None)
    turn = int(match.entry.removeprefix(_TURN)) if match.entry.startswith(_TURN) else 0
    return _opened(path, match, turn)


def _opened(path: Path, match: Match, turn: int | None) -> Scan:
    recording = _recording(path)
    if recording is None:
        raise FormatError(f"{path}: holds no recording any more; open it again")
    warnings: list[str] = []
    repaired: list[str] = []
    stack = frames_of(list(recording.projections))
    warnings.extend(stack.notes)
    parts = [
        int(matched[1]) for file in recording.projections if (matched := re.search(r"@(\d+)$", file.stem))
    ]
    lost = sorted(set(range(1, max(parts, default=0))) - set(parts))
    if lost:
        numbers_text = ", ".join(f"@{number:04d}" for number in lost[:5])
        warnings.append(f"the recording lacks its parts {numbers_text}; angles after them are wrong")
    stamps = stamps_of(stack)
    order = _order(stack, stamps, warnings, repaired)
    ordered = ChosenFrames(stack, order)
    views_of_turn, step, par = _from_par(recording)
    period = _period(ordered, views_of_turn, step, warnings)
    if views_of_turn is None:
        views_of_turn = len(order) if period is None else round(period)
        period = period if period is not None else float(views_of_turn)
    else:
        period = float(views_of_turn)
    number = turn or 0
    start = round(number * period)
    if views_of_turn < 1 or number < 0 or start + views_of_turn > len(order):
        turns = int(len(order) // period) if views_of_turn > 0 else 0
        raise ParameterError(
            f"{path}: there is no turn {number} of {views_of_turn} frames; its {len(order)} frames hold "
            f"{turns}{''.join(f'; {note}' for note in stack.notes)}"
        )
    count = views_of_turn if turn is not None else len(order) - start
    angles = _angles(recording, views_of_turn, count, step, period, start - number * period, warnings)
    chosen = ChosenFrames(stack, order[start : start + count])
    flats, darks = (_reference(recording, kind, stack, warnings) for kind in (FrameKind.FLAT, FrameKind.DARK))
    metadata: dict[str, Value[Any]] = {
        "turn": Value("all" if turn is None else turn, "derived", f"frames {start} to {start + count - 1}")
    }
    if stamps is not None:
        started = np.datetime64(round(float(stamps.time_s[order[start]]) * 1e6), "us")
        metadata["start_time"] = Value(str(started), "read", "the camera's time stamp of the first frame")
    if par is not None and recording.par is not None:
        metadata |= {
            f"/{recording.par.name}/{key}": Value(value, "read", recording.par.name)
            for key, value in par.values.items()
            if isinstance(value, str | int | float | None)
        }
    return Scan(
        path=path,
        name=path.stem if path.is_file() else path.name,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=chosen,
        geometry=Geometry(angles_deg=angles),
        flats=flats,
        darks=darks,
        metadata=metadata,
        repaired=tuple(repaired),
        warnings=tuple(warnings),
    )


def stamps_of(stack: TiffFrames) -> Stamps | None:
    """Decode the time stamps of all frames.

    Result: None where any frame has none.
    """
    _, rows, columns = stack.shape
    if rows * columns < PIXELS or stack.dtype.kind not in "iu":
        return None
    pixels = stack.read(slice(None), slice(0, -(-PIXELS // columns)))
    return decode_stamps(pixels.reshape(len(pixels), -1)[:, :PIXELS])


def _order(
    stack: TiffFrames, stamps: Stamps | None, warnings: list[str], repaired: list[str]
) -> NDArray[np.intp]:
    """Sort by the camera's image number, else begin after the largest step between neighbours."""
    count = stack.shape[0]
    if stamps is not None:
        order = np.argsort(stamps.number, kind="stable")
        gaps = np.diff(stamps.number[order])
        if (gaps > 1).any():
            lost = int((gaps[gaps > 1] - 1).sum())
            at = int(np.flatnonzero(gaps > 1)[0]) + 1
            warnings.append(
                f"{lost} frames were lost, the first before frame {at}; angles after it are wrong"
            )
        if (gaps < 1).any():
            warnings.append("some image numbers come twice; two recordings may lie in one folder")
        if order[0] != 0 or (np.diff(order) != 1).any():
            repaired.append(f"the recording begins at page {int(order[0])}; its time stamps gave the order")
        return order
    start, ratio = ring_start(signatures(stack))
    if not seam_is_clear(ratio):
        warnings.append(
            "neither time stamps nor a step between frames tell where the recording begins; page 0 was taken"
        )
        return np.arange(count)
    if start:
        repaired.append(
            f"the recording begins at page {start}, where neighbours differ {ratio:.3g} times more than elsewhere"
        )
    return np.roll(np.arange(count), -start)


def _period(
    ordered: ChosenFrames, views_of_turn: int | None, step: float | None, warnings: list[str]
) -> float | None:
    """Estimate the frames of a turn, and compare them with what the .par tells."""
    expected = abs(_TURN_DEG / step) if step else float(views_of_turn) if views_of_turn else None
    if ordered.shape[0] < (2 * expected if expected else 32):
        return None
    period = rotation_period(signatures(ordered))
    if period is None:
        warnings.append(
            "no view comes again in the recording; the period of the rotation could not be checked"
        )
        return None
    if expected is not None and abs(period[0] - expected) > _TOLERANCE:
        warnings.append(
            f"the views come again every {period[0]:.2f} frames, not every {expected:g}; check the .par"
        )
    return period[0]


def _angles(
    recording: _Recording,
    views_of_turn: int,
    count: int,
    step: float | None,
    period: float,
    shift: float,
    warnings: list[str],
) -> Value[NDArray[np.float64]]:
    numbers = np.arange(count, dtype=np.float64)
    if step is not None:
        source = recording.par.name if recording.par else "given"
        turn = abs(step) * views_of_turn
        if min(abs(turn - whole) for whole in (_TURN_DEG / 2, _TURN_DEG)) > abs(step) * _MOST_STEPS:
            warnings.append(
                f"{source} tells {views_of_turn} projections {step:g}° apart, {turn:g}° in all, neither a turn nor "
                f"half of one; check it, it may be cut off"
            )
        return Value(numbers * step, "derived", f"{source}: {step:g}° between projections")
    if recording.par is None:
        warnings.append(f"no .par tells the frames of a turn; {period:.2f} frames for 360° were taken")
    else:
        warnings.append(
            f"{recording.par.name} tells no angle between projections; {views_of_turn} frames for 360° were taken"
        )
    return Value(
        (numbers + shift) * (_TURN_DEG / period), "derived", f"a turn of 360° every {period:.6g} frames"
    )


def _reference(
    recording: _Recording, kind: FrameKind, stack: TiffFrames, warnings: list[str]
) -> Reference | None:
    files = recording.flats if kind == FrameKind.FLAT else recording.darks
    if not files:
        warnings.append(f"no {kind} fields were found; their names would hold {kind}")
        return None
    frames = frames_of(list(files))
    warnings.extend(frames.notes)
    demand_same_size(f"{files[0]}:", frames, stack)
    return Reference(frames, np.full(frames.shape[0], -1.0))


FORMAT = Format(
    name="dimax",
    title="PCO ring buffer (multi-page TIFF)",
    suffixes=(".tif", ".tiff"),
    detect=detect,
    read=read,
)
