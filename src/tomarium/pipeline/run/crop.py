"""Which part of the volume is made: the box of the object, found by a quick reconstruction, or a centred one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.object_box import object_box
from tomarium.model import Layout, Scan
from tomarium.pipeline.protocol.protocol import Item, Protocol, default_protocol, from_steps
from tomarium.pipeline.protocol.resolve import Resolution, Resolved, resolve
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.reconstruct import reconstruct
from tomarium.pipeline.run.runner import Progress, silent
from tomarium.steps.core.step import Step
from tomarium.steps.views.bin import bin as binned
from tomarium.steps.views.select_views import chosen

QUICK: Final = 192
"""Voxels along the longest edge of the quick reconstruction, about."""

_LEFT_OUT: Final = 1e-3


@dataclass(frozen=True)
class Crop:
    """A part of the volume.

    Attributes
    ----------
    rows : slice
        Detector rows, those of the protocol's views.
    region : str
        Part of each slice, as `fbp.region` takes it.
    told : str
        How it was chosen, in words.
    warnings : tuple of str
        What the user should know of it.
    """

    rows: slice
    region: str
    told: str
    warnings: tuple[str, ...] = ()


def centred_crop(scan: Scan, protocol: Protocol, sizes: tuple[int, int, int]) -> Crop:
    """Take a box of some size about the middle of the volume.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it, with a step fbp.
    sizes : tuple of int
        Voxels along (z, y, x).

    Returns
    -------
    Crop
        Of that size; where the parity differs from that of the volume, half a voxel before the middle.

    Raises
    ------
    ParameterError
        It is larger than the volume, or the protocol has no step fbp.
    """
    resolution = resolve(protocol, scan)
    if "axis_column" in _fbp(resolution).awaits:  # a half acquisition is as wide as its axis tells
        resolution = resolve(protocol, scan, ask_probes(scan, protocol, Journal(None, {}), silent))
    full_size = _whole(resolution)
    starts = []
    for name, size, length in zip("zyx", sizes, full_size, strict=True):
        if not 1 <= size <= length:
            raise ParameterError(
                f"{scan.path}: a crop of {size} voxels along {name} was asked for, but the volume has {length}; give "
                f"1 to {length}"
            )
        starts.append((length - size) // 2)
    z, y, x = ((start, start + size) for start, size in zip(starts, sizes, strict=True))
    description = f"{sizes[0]} × {sizes[1]} × {sizes[2]} voxels about the middle"
    return Crop(slice(*z), f"{y[0]}:{y[1]},{x[0]}:{x[1]}", description)


def find_crop(scan: Scan, protocol: Protocol, *, on_progress: Progress = silent) -> Crop:
    """Find the box of the object by a quick reconstruction of binned projections.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is done with it, with a step fbp; its views, its axis and its phase retrieval are used.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Crop
        The box about the object and 1 % of its length at each side.

    Raises
    ------
    InputError
        No object stands out of the air.
    ParameterError
        The protocol has no step fbp.
    EngineUnavailable
        scikit-image is not installed.

    Notes
    -----
    Projections are binned so that the longest edge of the volume has about 192 voxels, and as many views are taken as
    that needs; see `tomarium.kernels.object_box.object_box` for what follows.
    """
    _fbp(resolve(protocol, scan))
    resolution = resolve(protocol, scan, ask_probes(scan, protocol, Journal(None, {}), on_progress))
    views, rows, columns = resolution.scan.shape
    size = max(1, round(max(rows, columns) / QUICK))
    needed = math.ceil(math.pi * columns / size)
    thinned = chosen(resolution.scan, np.arange(0, views, max(1, views // needed)))
    quick = binned(thinned, rows=min(size, rows), columns=size)
    if quick.pixel_m is None:  # the box counts in voxels, whatever their shape
        quick = quick.with_geometry(pixel_aspect=None)
    volume = reconstruct(quick, _quick_protocol(resolution, quick, size), force=True, on_progress=on_progress)
    box = object_box(np.asarray(volume))
    full_size = _whole(resolution)
    quick_size = np.asarray(volume).shape
    ends = []
    for axis, (start, stop) in enumerate(zip(box.start, box.stop, strict=True)):
        # Slices are about the axis, rows about nothing: they begin at the first.
        shift = 0.0 if axis == 0 else full_size[axis] / 2 - size * quick_size[axis] / 2
        factor = min(size, rows) if axis == 0 else size
        first, last = math.floor(start * factor + shift), math.ceil(stop * factor + shift)
        last = full_size[axis] if stop >= quick_size[axis] else last  # what binning left over
        ends.append((max(0, first), min(full_size[axis], last)))
    z, y, x = ends
    kept_part = math.prod(b - a for a, b in ends) / math.prod(full_size)
    how = (
        f"the object's box, rows {z[0]}:{z[1]} and region {y[0]}:{y[1]},{x[0]}:{x[1]}, {100 * kept_part:.0f} % of the "
        f"volume, found in slices of {quick_size[2]} × {quick_size[1]}"
    )
    notes: tuple[str, ...] = ()
    if box.left_out > _LEFT_OUT:
        notes = (
            f"{100 * box.left_out:.2g} % of what is above the threshold between air and object lies outside of the "
            f"crop, in small pieces; look at a slice of the whole, or give --roi",
        )
    return Crop(slice(*z), f"{y[0]}:{y[1]},{x[0]}:{x[1]}", how, notes)


def parse_sizes(text: str) -> tuple[int, int, int]:
    """Read the sizes of a centred crop.

    Parameters
    ----------
    text : str
        "Z,Y,X" in voxels.

    Returns
    -------
    tuple of int
        Three of them.

    Raises
    ------
    InputError
        It has another form.
    """
    try:
        z, y, x = (int(part) for part in text.split(","))
    except ValueError as problem:
        raise InputError(
            f"--crop {text!r}: write auto, or the size of a centred box in voxels, Z,Y,X, such as 400,900,900"
        ) from problem
    return z, y, x


def _fbp(resolution: Resolution) -> Resolved:
    resolved = next((item for item in resolution.work if item.step.name == "fbp"), None)
    if resolved is None:
        raise ParameterError(
            "the protocol has no step fbp, which alone makes a part of the slices; crop with --rows instead"
        )
    return resolved


def _whole(resolution: Resolution) -> tuple[int, int, int]:
    """Return the size of the volume without a region."""
    item = _fbp(resolution)
    assert isinstance(item.step, Step)
    after: Layout = item.step.after(item.before, {**item.plain, "region": ""})
    return after.shape


def _quick_protocol(resolution: Resolution, quick: Scan, size: int) -> Protocol:
    """Make a short protocol whose slices lie as those of the whole one."""
    phase = next((item for item in resolution.work if item.step.name == "paganin"), None)
    standard = default_protocol(quick.domain)
    protocol = standard if phase is None else from_steps(("paganin",), standard, quick.domain)
    own = _fbp(resolution).plain
    values = {
        "fbp": {name: own[name] for name in ("field", "padding", "angle_offset_deg")},
        "paganin": {} if phase is None else _retrieved(phase.plain, size),
    }
    return Protocol(
        tuple(Item(item.step, {**item.given, **values.get(item.step.name, {})}) for item in protocol.items)
    )


def _retrieved(values: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return the same filter for pixels that are so many times as large."""
    if values["length_px"] is not None:
        return {"length_px": values["length_px"] / size}
    names = ("delta_beta", "energy_kev", "distance_m")
    return {**{name: values[name] for name in names}, "pixel_m": values["pixel_m"] * size}
