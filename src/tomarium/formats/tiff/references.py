"""Flats and darks of a scan from TIFF files that its user names: a folder of them, or a file of one page or several."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.frames.mirrored import flipped, flips_of, stored
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.opening.filenames import natural
from tomarium.formats.tiff.frames import frames_of
from tomarium.formats.tiff.ifd_check import is_tiff
from tomarium.formats.tiff.series import tiffs_in
from tomarium.model import FrameKind, Scan
from tomarium.model.scan import Reference


def with_tiff_references(
    scan: Scan, flats: str | None, darks: str | None
) -> tuple[Scan, str | None, str | None]:
    """Put the frames of TIFF files in place of a scan's flats and darks.

    `flats`, `darks`: a folder with TIFF files or a TIFF file, looked for from the current folder, then beside the scan;
    any other text is left. Result: the scan, and the texts that name no TIFF files. They count as taken before it.
    """
    left: list[str | None] = []
    for kind, text in ((FrameKind.FLAT, flats), (FrameKind.DARK, darks)):
        files = [] if text is None else _files(text, scan.path)
        left.append(None if files else text)
        if not files:
            continue
        frames = frames_of(files)
        demand_same_size(f"{text}, given as {kind} fields,", frames, stored(scan.projections))
        # They are of the scan's detector, and so mirrored as its frames are.
        reference = Reference(flipped(frames, *flips_of(scan.projections)), np.full(frames.shape[0], -1.0))
        changed: dict[str, Any] = {f"{kind}s": reference}
        warnings = tuple(
            w for w in scan.warnings if not re.search(rf"\bno ({kind}|flat and dark) fields\b", w)
        )
        scan = replace(scan, counts={**scan.counts, kind: frames.shape[0]}, warnings=warnings, **changed)
    return scan, left[0], left[1]


def _files(text: str, scan: Path) -> list[Path]:
    folder = scan if scan.is_dir() else scan.parent
    path = next((place for place in (Path(text).expanduser(), folder / text) if place.exists()), None)
    if path is None:
        return []
    if not path.is_dir():
        return [path] if is_tiff(path) else []
    files = sorted(tiffs_in(path)[0], key=natural)
    if not files:
        raise FormatError(
            f"{path}: holds no TIFF files; give the folder of the flats or darks, or a place in HDF5"
        )
    return files
