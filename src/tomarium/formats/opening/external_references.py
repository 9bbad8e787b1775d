"""Flats and darks that lie in files of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.frames.mirrored import flipped, flips_of
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.frames import Hdf5Frames, frames_of
from tomarium.formats.hdf5.names import path_of, visit_links
from tomarium.formats.hdf5.source import SIDE_CAR, Source, reading
from tomarium.model import FrameKind, Scan
from tomarium.model.scan import Reference


def with_references(
    scan: Scan, *, flats: str | PathLike[str] | None, darks: str | PathLike[str] | None
) -> Scan:
    """Give a scan the flats and darks of other files.

    `flats`, `darks`: HDF5 file, "flats.h5", or one and the dataset in it, "flats.h5:/path". Without a
    dataset, the only one of frames as large as the scan's is taken. None keeps the scan's own. Result: the
    scan with these, taken as from before its first projection, and without the warnings that they lack.
    """
    warnings, counts = list(scan.warnings), dict(scan.counts)
    found: dict[str, Reference] = {}
    for kind, place in ((FrameKind.FLAT, flats), (FrameKind.DARK, darks)):
        if place is None:
            continue
        frames = _frames(scan, fspath(place), kind)
        # Nothing in such a file says when it was taken; before the scan is where nearly all are.
        # They are of the scan's detector, and so mirrored as its frames are.
        shown = flipped(frames, *flips_of(scan.projections))
        found[f"{kind}s"] = Reference(shown, np.full(frames.shape[0], -1.0))
        counts[kind] = frames.shape[0]
        warnings = [text for text in warnings if f"no {kind} fields" not in text]
        warnings.append(f"the {kind}s are those of {frames.file.name}:{frames.name}, taken as from before")
    return replace(
        scan,
        flats=found.get("flats", scan.flats),
        darks=found.get("darks", scan.darks),
        counts=counts,
        warnings=tuple(warnings),
    )


def _frames(scan: Scan, place: str, kind: FrameKind) -> Hdf5Frames:
    file, _, name = place.partition(":/")
    path = Path(file)
    if not is_hdf5(path):
        raise FormatError(
            f"{path}: {kind}s of a file of their own must lie in HDF5; convert it, or check its name"
        )
    with reading(path) as source:
        if name:
            node = source.find(f"/{name}")
            if not isinstance(node, h5py.Dataset):
                raise FormatError(
                    f"{path}: holds no dataset /{name}; it holds {', '.join(_stacks(source)) or 'none'}"
                )
        else:
            node = source.find(_only(source, path, scan, kind))
            assert isinstance(node, h5py.Dataset)
        frames = frames_of(source, node)
        if frames.shape[1:] != scan.shape[1:]:
            raise FormatError(
                f"{path}: {node.name} has frames of {frames.shape[1:]} rows and columns, the projections "
                f"{scan.shape[1:]}; give {kind}s of the same detector"
            )
    return frames


def _stacks(source: Source) -> dict[str, tuple[int, ...]]:
    stacks: dict[str, tuple[int, ...]] = {}

    def visit(name: str, link: Any) -> None:
        if name.startswith(f"{SIDE_CAR}/") or isinstance(link, h5py.ExternalLink):
            return
        node = source.find(f"/{name}")
        if isinstance(node, h5py.Dataset) and node.ndim in (2, 3) and node.dtype.kind in "iuf":
            stacks.setdefault(f"/{path_of(node).lstrip('/')}", node.shape)

    visit_links(source.file, visit)
    return stacks


def _only(source: Source, path: Path, scan: Scan, kind: FrameKind) -> str:
    """Find the one dataset of frames; where several fit, the one named after what it is."""
    stacks = _stacks(source)
    fits = [name for name, shape in stacks.items() if shape[-2:] == scan.shape[1:]]
    named = [name for name in fits if re.search(str(kind), name, re.IGNORECASE)]
    for choice in (fits, named):
        if len(choice) == 1:
            return choice[0]
    held = ", ".join(f"{name} {shape}" for name, shape in stacks.items()) or "none"
    few = "none" if not fits else f"{len(fits)}"
    raise FormatError(
        f"{path}: {few} of its datasets hold frames of {scan.shape[1:]} rows and columns ({held}); "
        f"name the one with the {kind}s: {path.name}:/path"
    )
