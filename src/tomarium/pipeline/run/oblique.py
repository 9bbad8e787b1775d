"""Planes of a scan: an upright one alone is reconstructed; an oblique one is cut out of the slices that it crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tomarium.errors import InputError, ParameterError
from tomarium.kernels.oblique import plane_through, sample_plane
from tomarium.model import Axis, Image, Volume
from tomarium.pipeline.plan.resources import measure
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.read import AnyProtocol, as_protocol
from tomarium.pipeline.protocol.resolve import Answers, Resolution, freeze, resolve
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.provenance import geometry_data
from tomarium.pipeline.run.reconstruct import AnyScan, as_scan_of, as_volume
from tomarium.pipeline.run.runner import Outcome, Progress, run, silent


def oblique_of_volume(volume: Volume, normal: Sequence[float], point: Sequence[float] | None = None) -> Image:
    """Cut a plane out of a volume; only what it crosses is read.

    Parameters
    ----------
    volume : Volume
        The volume.
    normal : sequence of float
        Direction (z, y, x) that the plane stands across.
    point : sequence of float, optional
        A place (z, y, x) in it, voxels; the voxel in the middle by default.

    Returns
    -------
    Image
        Of the axes (row, column), float32; 0 outside of the volume.

    Raises
    ------
    ParameterError
        The normal has no direction, or the plane passes the volume by.
    """
    voxel = volume.voxel_m
    plane = plane_through(volume.shape, normal, point, voxel or (1.0, 1.0, 1.0))
    return _image(volume, sample_plane(volume, plane))


def oblique_at(
    scan: AnyScan,
    normal: Sequence[float],
    point: Sequence[float] | None = None,
    protocol: AnyProtocol = None,
    *,
    force: bool = False,
    memory: str | None = None,
    on_progress: Progress = silent,
) -> tuple[Image, Outcome]:
    """Reconstruct the slices that a plane crosses, in memory, and cut it out of them.

    Parameters
    ----------
    scan, protocol
        As for `tomarium.reconstruct`.
    normal, point
        As for `oblique_of_volume`, in voxels of the whole volume.
    force : bool
        As for `tomarium.reconstruct`.
    memory : str, optional
        Limit such as "4GB".
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Image, Outcome
        The plane, and the run that made the slices.

    Raises
    ------
    ParameterError
        As `oblique_of_volume`; or the protocol makes no slices.
    CannotFit
        The slices do not fit into memory.
    """
    opened = as_scan_of(scan)
    read_protocol = as_protocol(protocol, opened.domain)
    opened = checked(opened, read_protocol, force=force)
    answers = ask_probes(opened, read_protocol, Journal(None, {}), on_progress)
    resolution = resolve(read_protocol, opened, answers)
    if resolution.layout.domain != "slice":
        raise ParameterError(
            "the protocol makes no slices that a plane could be cut out of; add a reconstruction, such as fbp"
        )
    voxel = resolution.layout.geometry.voxel_m or (1.0, 1.0, 1.0)
    plane = plane_through(resolution.layout.shape, normal, point, voxel)
    rows = plane.z_range(resolution.layout.shape[0])
    outcome = run(
        opened, freeze(resolution), None, measure(None, memory, 1), rows=rows, on_progress=on_progress
    )
    volume = as_volume(outcome)
    assert isinstance(volume, Volume)
    return _image(volume, sample_plane(volume, plane, rows.start)), _as_asked(outcome, resolution, answers)


def _as_asked(outcome: Outcome, resolution: Resolution, answers: Answers) -> Outcome:
    """Tell where the values come from that a run was given frozen, and what the probes doubt."""
    told = {
        "geometry": geometry_data(resolution),
        "probes": answers,
        "warnings": list(
            dict.fromkeys([*of_result(resolution, answers, {}, 0), *outcome.provenance["warnings"]])
        ),
    }
    return replace(outcome, provenance={**outcome.provenance, **told})


def _image(volume: Volume, pixels: np.typing.NDArray[np.float32]) -> Image:
    voxel = volume.voxel_m
    scale, unit = (1.0, "px") if voxel is None else (min(voxel), "m")
    axes = tuple(Axis(name, scale, 0.0, unit) for name in ("row", "column"))
    return Image(pixels, axes, volume.unit, volume.name)


def plane_at(
    scan: AnyScan,
    along: str,
    at: int | None = None,
    protocol: AnyProtocol = None,
    *,
    force: bool = False,
    memory: str | None = None,
    on_progress: Progress = silent,
) -> tuple[Volume, Outcome]:
    """Reconstruct one plane through all slices: only its voxels are backprojected.

    Parameters
    ----------
    scan, protocol, on_progress
        As for `slice_at`.
    along : {"y", "x"}
        Axis the plane stands across.
    at : int, optional
        Its place along that axis in voxels, negative from the end; the middle by default.
    force : bool
        As for `tomarium.reconstruct`.
    memory : str, optional
        Limit such as "4GB".

    Returns
    -------
    Volume, Outcome
        A volume of one voxel's thickness, shape (z, 1, x) or (z, y, 1), and the run that made it.

    Raises
    ------
    InputError
        The slices have no such plane.
    ParameterError
        The protocol has no step fbp.
    """
    opened = as_scan_of(scan)
    read_protocol = as_protocol(protocol, opened.domain)
    opened = checked(opened, read_protocol, force=force)
    answers = ask_probes(opened, read_protocol, Journal(None, {}), on_progress)
    resolution = resolve(read_protocol, opened, answers)
    size = resolution.layout.shape[1 if along == "y" else 2]
    chosen = size // 2 if at is None else at + size * (at < 0)
    if not 0 <= chosen < size:
        raise InputError(
            f"{opened.path}: {along} {at} was asked for, but slices have the {along} 0 to {size - 1}"
        )
    part = f"{chosen}:{chosen + 1}"
    region = f"{part},:" if along == "y" else f":,{part}"
    frozen = with_parameter(freeze(resolution), f"fbp.region={region}")
    outcome = run(opened, frozen, None, measure(None, memory, 1), on_progress=on_progress)
    volume = as_volume(outcome)
    assert isinstance(volume, Volume)
    return volume, _as_asked(outcome, resolution, answers)
