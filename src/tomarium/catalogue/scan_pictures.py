"""Pictures of a raw scan that are kept with its record: projections, sinograms, a flat and a dark field, the axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import TomariumError
from tomarium.kernels.axis import find
from tomarium.model import Scan
from tomarium.model.scan import Reference
from tomarium.viewers.picture import png, robust_window

PROJECTIONS: Final = 12
SINOGRAMS: Final = (0.5, 0.25)
"""Heights of the rows whose sinograms are kept; the first is the one that the axis is looked for in."""
REFERENCES: Final = 8
"""Flat and dark fields that are averaged."""
PIXELS: Final = 768
MOST_READ: Final = 1 << 30
"""Bytes that the sinograms may cost; of a larger scan only every n-th projection stands in them."""
FEWEST_ANGLES: Final = 90


@dataclass(frozen=True)
class ScanPictures:
    """What is kept.

    Attributes
    ----------
    files : Mapping of str to bytes
        Name → PNG.
    summary : Mapping
        JSON-ready: `projections` (file, index, angle_deg), `sinograms` (file, row, step), `flat`, `dark` (file or ""),
        `axis` (column, origin, confidence; None where nothing is known), `rows`, `columns`, `angles`.
    """

    files: Mapping[str, bytes]
    summary: Mapping[str, Any]


def scan_pictures(scan: Scan) -> ScanPictures:
    """Draw the pictures of a scan.

    Parameters
    ----------
    scan : Scan
        Open. Some of its projections are read, and a row or two at all angles, or at as many as a gigabyte allows.

    Returns
    -------
    ScanPictures
        Projections and sinograms as transmission where the scan has flat fields, each kind in one grey window. An
        axis that the file does not give is estimated, with its confidence.
    """
    count, rows, columns = scan.shape
    flat, dark = _mean(scan.flats), _mean(scan.darks)
    files: dict[str, bytes] = {}

    def keep(
        name: str, image: NDArray[Any], window: tuple[float, float] | None = None, aspect: float = 1.0
    ) -> str:
        files[name] = png(image, window=window, aspect=aspect)
        return name

    tall = scan.geometry.aspect

    chosen = np.unique(np.linspace(0, count - 1, min(PROJECTIONS, count)).astype(int))
    frames = [_even(_transmission(_frame(scan, int(k)), flat, dark)) for k in chosen]
    window = robust_window(np.stack([frame.ravel() for frame in frames])[:, None])
    angles = scan.geometry.angles_deg.value
    projections = [
        {
            "file": keep(f"projection-{n:02d}.png", frame, window, tall),
            "index": int(k),
            "angle_deg": float(angles[k]),
        }
        for n, (k, frame) in enumerate(zip(chosen, frames, strict=True))
    ]
    heights = sorted({min(rows - 1, int(part * rows)) for part in SINOGRAMS}, reverse=True)
    step = _step(scan)
    sinograms, lines = [], []
    for n, row in enumerate(heights):
        data = np.concatenate(
            [
                np.asarray(
                    scan.projections.read(np.arange(k, min(k + 256 * step, count), step), slice(row, row + 1))
                )
                for k in range(0, count, 256 * step)
            ]
        )[:, 0]
        part = (None if frame is None else frame[row : row + 1] for frame in (flat, dark))
        lines.append(_transmission(data.astype(np.float32), *part))
        file = keep(f"sinogram-{n}.png", _even(lines[-1]))
        sinograms.append({"file": file, "row": row, "step": step})
    summary = {
        "projections": projections,
        "sinograms": sinograms,
        "flat": keep("flat.png", _even(flat), aspect=tall) if flat is not None else "",
        "dark": keep("dark.png", _even(dark), aspect=tall) if dark is not None else "",
        "axis": _axis(scan, lines[0], angles[::step]),
        "rows": rows,
        "columns": columns,
        "angles": count,
        "domain": scan.domain if flat is None else "transmission",
    }
    return ScanPictures(files, summary)


def _step(scan: Scan) -> int:
    """Tell which part of the projections a sinogram can be made of for what it costs to read them."""
    count, rows, _ = scan.shape
    read, unpacked = scan.projections.cost(count, slice(rows // 2, rows // 2 + 1))
    return max(1, min(-(-max(read, unpacked) // MOST_READ), count // FEWEST_ANGLES))


def _axis(scan: Scan, line: NDArray[np.float32], angles: NDArray[np.float64]) -> dict[str, Any] | None:
    """Take the axis that the file gives, or estimate it from a sinogram."""
    value = scan.geometry.axis_column
    if value is not None:
        return {"column": float(value.value), "origin": value.origin, "confidence": ""}
    if scan.domain == "counts" and scan.flats is None:
        return None
    attenuation = line if scan.domain == "attenuation" else -np.log(np.clip(line, 1e-3, None))
    try:
        axis_estimate = find(attenuation[:, None], angles, rows_per_group=1)
    except TomariumError:
        return None
    return {
        "column": round(axis_estimate.column, 3),
        "origin": "derived",
        "confidence": axis_estimate.confidence,
    }


def _frame(scan: Scan, index: int) -> NDArray[np.float32]:
    read = scan.projections.read(slice(index, index + 1), slice(0, scan.shape[1]))
    return np.asarray(read[0], np.float32)


def _mean(reference: Reference | None) -> NDArray[np.float32] | None:
    if reference is None or not len(reference.frames):
        return None
    count = min(REFERENCES, len(reference.frames))
    frames = reference.frames.read(slice(0, count), slice(0, reference.frames.shape[1]))
    return np.asarray(np.asarray(frames, np.float32).mean(axis=0), np.float32)


def _transmission(
    frame: NDArray[np.float32], flat: NDArray[np.float32] | None, dark: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Divide by the open beam; a scan without flat fields stays what it is."""
    if flat is None:
        return frame
    below = np.float32(0) if dark is None else dark
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = (frame - below) / (flat - below)
    return np.asarray(np.nan_to_num(shown, nan=1.0, posinf=1.0, neginf=0.0), np.float32)


def _even(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average a picture down to what a screen shows; a side that is short stays."""
    down, across = (max(1, length // PIXELS) for length in image.shape)
    rows, columns = image.shape[0] // down, image.shape[1] // across
    part = image[: rows * down, : columns * across].reshape(rows, down, columns, across)
    return np.asarray(part.mean(axis=(1, 3)), np.float32)
