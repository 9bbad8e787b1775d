"""Objects of a label volume of any size: counted and measured slab by slab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.components import Components
from tomarium.kernels.object_sums import Measures, ObjectSums, add_crossings, add_voxels, measures
from tomarium.kernels.skeleton import Skeleton, skeleton
from tomarium.model import Volume
from tomarium.pipeline.measure.table_file import number_text, write_table
from tomarium.pipeline.segment.field import stated_field
from tomarium.pipeline.segment.slabs import inside, slab_height, slabs

BYTES: Final = 96
MOST_VALUES: Final = 16
"""Values whose shares of each slice are told; of more, that of all objects alone."""

MOST_BOX: Final = 1 << 28
"""Voxels of the box of an object that is thinned to its skeleton, in memory as a whole."""


@dataclass(frozen=True)
class Objects:
    """What a label volume holds.

    Attributes
    ----------
    measures : Measures
        Of objects that are large enough, the largest first, in voxels.
    left_out : int
        Objects that are smaller.
    shares : array, shape (z, value)
        Part of the voxels of each slice inside the circle that has each of `values`.
    values : tuple of int
        Of the columns of `shares`; 1 stands for all that is not 0 where there are more than 16.
    skeletons : tuple of Skeleton or None
        Of each object, where they were asked for; None of one whose box does not fit.
    """

    measures: Measures
    left_out: int
    shares: NDArray[np.float64]
    values: tuple[int, ...]
    skeletons: tuple[Skeleton | None, ...]


def measure_objects(
    labels: Volume,
    *,
    smallest: int = 1,
    whole: bool = False,
    skeletons: bool = False,
    tell: Callable[[str, int, int], None] | None = None,
) -> Objects:
    """Measure the objects of a label volume.

    An object is what touches by a face, an edge or a corner (26 neighbours) and has one value above 0: so the basins of
    a watershed stay apart, and classes come apart into objects. Slabs of any height give the same numbers.

    Parameters
    ----------
    labels : Volume
        Whole numbers; 0 is background.
    smallest : int
        Voxels from which an object is told.
    whole : bool
        Whether the corners outside of the inscribed circle of square slices count too, as they do where the labels
        tell that they are of a box.
    skeletons : bool
        Whether each object is thinned to its lines.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Objects
        In voxels.

    Raises
    ------
    InputError
        Its values are not whole numbers, or below 0; or skeletons are asked for of voxels that are no cubes.
    EngineUnavailable
        The packages of the extra `analysis` are not installed.
    """
    if labels.dtype.kind not in "iub":
        raise InputError(
            f"{labels.path}: holds {labels.dtype}, and objects are told of labels, which are whole numbers; make them "
            f"with `tomarium segment`"
        )
    if skeletons:
        labels.demand_cubes("a skeleton")
    say = tell or (lambda stage, done, total: None)
    depth = labels.shape[0]
    circle = inside(labels.shape, disc=not whole and stated_field(labels)[0] != "box")
    rim = ~circle | _at_rim(circle)
    components, sums = Components(), ObjectSums.empty(0)
    counts: list[dict[int, int]] = []
    last: tuple[NDArray[np.int64], NDArray[Any]] | None = None
    for start, stop in slabs(depth, slab_height(labels.shape, BYTES)):
        values = np.asarray(labels[start:stop])
        if values.dtype.kind == "i" and values.min(initial=0) < 0:
            raise InputError(f"{labels.path}: holds {values.min()}; labels are 0 or more")
        values = np.where(circle, values, 0) if values.dtype != bool else (values & circle).astype(np.uint8)
        counts += [_count_values(plane[circle]) for plane in values]
        numbers = components.add(values)
        sums = sums.grown(components.count)
        at_edge = np.broadcast_to(rim, values.shape).copy()
        at_edge[[z for z in (0 - start, depth - 1 - start) if 0 <= z < len(values)]] = True
        add_voxels(sums, numbers, values, start, at_edge)
        if last is None:
            add_crossings(sums, numbers, values, skip=0)
        else:
            with_last = np.concatenate([last[0], numbers]), np.concatenate([last[1], values])
            add_crossings(sums, *with_last, skip=1)
        last = numbers[-1:], values[-1:]
        say("objects", stop, depth)
    measures_of_all = measures(sums.joined(components.numbers()), _spacing(labels))
    order = np.argsort(-measures_of_all.volume, kind="stable")
    large_enough = order[measures_of_all.volume[order] >= smallest]
    chosen = Measures(
        **{name: getattr(measures_of_all, name)[large_enough] for name in Measures.__dataclass_fields__}
    )
    lines: list[Skeleton | None] = []
    for number in range(len(large_enough) if skeletons else 0):
        lines.append(_skeleton(labels, chosen, number, circle))
        say("skeletons", number + 1, len(large_enough))
    shares, values_told = _shares(counts, int(circle.sum()))
    return Objects(chosen, len(order) - len(large_enough), shares, values_told, tuple(lines))


def _at_rim(circle: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the voxels of a circle that have a neighbour outside of it, or lie at an end of the slice."""
    padded = np.pad(circle, 1)
    rows, columns = circle.shape
    steps = [(dy, dx) for dy in range(3) for dx in range(3)]
    around = np.all([padded[dy : dy + rows, dx : dx + columns] for dy, dx in steps], axis=0)
    return np.asarray(circle & ~around)


def _count_values(plane: NDArray[Any]) -> dict[int, int]:
    values, count = np.unique(plane, return_counts=True)
    if len(values) > 4 * MOST_VALUES:
        background = int(count[values == 0].sum())
        return {0: background, -1: int(plane.size) - background}
    return dict(zip(values.tolist(), count.tolist(), strict=True))


def _shares(counts: list[dict[int, int]], voxels: int) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    values = sorted({0, *(value for count in counts for value in count)})
    if len(values) > MOST_VALUES or values[0] < 0:
        filled = [[count.get(0, 0), voxels - count.get(0, 0)] for count in counts]
        return np.array(filled) / voxels, (0, 1)
    return np.array([[count.get(value, 0) for value in values] for count in counts]) / voxels, tuple(values)


def _skeleton(labels: Volume, measured: Measures, number: int, circle: NDArray[np.bool_]) -> Skeleton | None:
    first, last = measured.box[number, :3], measured.box[number, 3:] + 1
    if np.prod(last - first) > MOST_BOX:
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    mask = (np.asarray(labels[z])[:, y, x] == measured.value[number]) & circle[y, x]
    if int(mask.sum()) != int(measured.volume[number]):  # other objects of this value lie in the box
        own = Components()
        numbers = own.add(mask)
        sizes = np.bincount(numbers.ravel())
        sizes[0] = 0
        mask = numbers == int(np.flatnonzero(sizes == measured.volume[number])[0])
    return skeleton(mask)


def write_tables(target: Path, labels: Volume, objects: Objects) -> tuple[Path, Path]:
    """Write the objects as a table, and the shares of each slice as another beside it.

    Parameters
    ----------
    target : Path
        CSV file; that of slices gets "_slices" before its ending.
    labels : Volume
        What was measured, for the size of a voxel.
    objects : Objects
        What was found.

    Returns
    -------
    tuple of Path
        Both files. Lengths are in µm where the size of a voxel is known, else in voxels; the unit is in the column's
        name.
    """
    step, unit = _step(labels)
    voxel_volume = step**3 * float(np.prod(_spacing(labels)))
    measured = objects.measures
    names = [
        "object",
        "label",
        "voxels",
        f"volume_{unit}3",
        f"equivalent_diameter_{unit}",
        f"surface_{unit}2",
    ]
    names += ["sphericity", *(f"centre_{axis}_px" for axis in "zyx")]
    names += [f"{axis_name}_axis_{unit}" for axis_name in ("long", "middle", "short")]
    names += [f"direction_{axis}" for axis in "zyx"]
    names += [f"{end}_{axis}_px" for end in ("first", "last") for axis in "zyx"]
    names += ["touches_edge"]
    names += [f"skeleton_length_{unit}", "branch_points", "end_points"] if objects.skeletons else []
    rows: list[list[Any]] = []
    for k in range(len(measured.volume)):
        row: list[Any] = [k + 1, int(measured.value[k]), int(measured.volume[k])]
        scaled = [
            measured.volume[k] * voxel_volume,
            measured.diameter[k] * step,
            measured.surface[k] * step**2,
            measured.sphericity[k],
        ]
        row += [
            number_text(number)
            for number in (*scaled, *measured.centre[k], *(measured.axes[k] * step), *measured.direction[k])
        ]
        row += [*measured.box[k].tolist(), int(measured.edge[k])]
        if objects.skeletons:
            lines = objects.skeletons[k]
            row += (
                ["", "", ""]
                if lines is None
                else [number_text(lines.length * step), lines.branches, lines.ends]
            )
        rows.append(row)
    write_table(target, names, rows)
    beside = target.with_name(f"{target.stem}_slices{target.suffix}")
    shares = [[z, *(number_text(share) for share in row)] for z, row in enumerate(objects.shares)]
    write_table(beside, ["slice", *(f"share_of_{value}" for value in objects.values)], shares)
    return target, beside


def _step(labels: Volume) -> tuple[float, str]:
    voxel = labels.voxel_m
    if voxel is None:
        return 1.0, "px"
    return voxel[2] * 1e6, "um"


def _spacing(labels: Volume) -> tuple[float, float, float]:
    """Return the lengths of a voxel (z, y, x) over its width."""
    voxel = labels.voxel_m
    return (1.0, 1.0, 1.0) if voxel is None else (voxel[0] / voxel[2], voxel[1] / voxel[2], 1.0)


def as_data(labels: Volume, objects: Objects) -> dict[str, Any]:
    """Sum up what was found for machines: counts, medians and shares; lengths in µm or voxels, as `unit` says."""
    step, unit = _step(labels)
    measured, free = objects.measures, ~objects.measures.edge
    return {
        "unit": unit,
        "objects": len(measured.volume),
        "touching_edge": int(measured.edge.sum()),
        "left_out": objects.left_out,
        "voxels": int(measured.volume.sum()),
        "median_diameter": float(np.median(measured.diameter[free]) * step) if free.any() else None,
        "median_sphericity": float(np.median(measured.sphericity[free])) if free.any() else None,
        "share": {
            str(value): float(share)
            for value, share in zip(objects.values, objects.shares.mean(0), strict=True)
        },
        "skeleton_length": sum(line.length for line in objects.skeletons if line) * step
        if objects.skeletons
        else None,
    }
