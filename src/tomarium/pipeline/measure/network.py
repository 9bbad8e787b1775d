"""The network of the solid, or of the pores, of a volume in memory: nodes and branches as tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import InputError
from tomarium.kernels.distance import distance
from tomarium.kernels.skeleton_network import Branch, Network, Node, network
from tomarium.kernels.thinning import thinned
from tomarium.model import Volume
from tomarium.pipeline.measure.phase import Of, Phase, account_of, length_of_voxel, phase_in_memory
from tomarium.pipeline.measure.table_file import number_text, write_table
from tomarium.pipeline.segment.label_volume import Tell

BYTES: Final = 12
"""Memory for each voxel: the body and its lines, padded and packed anew, and distances."""


@dataclass(frozen=True)
class MeasuredNetwork:
    """Nodes and branches of a phase.

    Attributes
    ----------
    phase : Phase
        Which voxels were taken.
    network : Network
        In voxels.
    voxels, counted : int
        Voxels of the phase, and all that count.
    at_edge : tuple of bool
        Of each node: whether the body goes on beyond an end of the volume, or the rim of the circle, as far as its
        radius tells.
    prune : float
        As it was given.
    """

    phase: Phase
    network: Network
    voxels: int
    counted: int
    at_edge: tuple[bool, ...]
    prune: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the volume (z, y, x)."""
        depth, rows, columns = self.phase.volume.shape
        return depth, rows, columns


def measure_network(
    volume: Volume,
    of: Of = "solid",
    threshold: float | None = None,
    *,
    whole: bool = False,
    prune: float = 1.0,
    memory_bytes: int | None = None,
    tell: Tell | None = None,
) -> MeasuredNetwork:
    """Thin a phase of a volume to lines, and take them apart into nodes and branches.

    Parameters
    ----------
    volume : Volume
        Grey values or labels, in voxels that are cubes.
    of, threshold, whole
        As `phase_of` takes them.
    prune : float
        A free branch that is not longer than so many times the radius of its junction is left out as a spur.
    memory_bytes : int, optional
        Memory that may be used; by default what is available.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    MeasuredNetwork
        In voxels.

    Raises
    ------
    InputError
        Voxels are no cubes, memory does not suffice, or the phase is nothing or all of the volume.
    EngineUnavailable
        The packages of the extra `analysis` are not installed.
    """
    say = tell or (lambda stage, done, total: None)
    phase, body = phase_in_memory(
        volume, of, threshold, "a network", BYTES, whole=whole, memory_bytes=memory_bytes, tell=say
    )
    voxels, counted = int(np.count_nonzero(body)), int(np.count_nonzero(phase.counted)) * len(body)
    if voxels in (0, counted):
        share = "all" if voxels else "nothing"
        raise InputError(
            f"{volume.path or volume.name}: {share} of it is {of} at the threshold {phase.threshold:.5g} {volume.unit} "
            f"({phase.source}), so that there is no network; give another --threshold"
        )
    say("lines", 0, 1)
    lines = thinned(body)
    say("lines", 1, 1)
    depth = distance(body, tell=lambda done, total: say("distances", done, total))
    del body
    say("network", 0, 1)
    found = network(lines, depth, prune=prune)
    say("network", 1, 1)
    room = distance(np.pad(phase.counted, 1)[None])[0, 1:-1, 1:-1]
    at_edge = tuple(_reaches_edge(node, len(depth), room) for node in found.nodes)
    return MeasuredNetwork(phase, found, voxels, counted, at_edge, prune)


def _reaches_edge(node: Node, depth: int, room: NDArray[np.float32]) -> bool:
    z, y, x = node.position
    free = min(z + 1, depth - z, float(room[round(y), round(x)]))
    return free <= node.radius + 1


def as_data(measured: MeasuredNetwork) -> dict[str, Any]:
    """Sum up a network for machines: lengths in µm where the size of a voxel is known, else in voxels, as `unit` says.

    Means of radius and tortuosity are weighted by the length of the branches; loops have no tortuosity.
    """
    step, unit = length_of_voxel(measured.phase.volume)
    nodes, branches = measured.network.nodes, measured.network.branches
    lengths = np.array([branch.length for branch in branches]) * step
    radii = np.array([branch.radii.mean() for branch in branches]) * step
    open_ones = [branch for branch in branches if branch.distance > 0]
    apart = sum(branch.distance for branch in open_ones)
    degree = np.bincount([node for branch in branches for node in branch.nodes], minlength=len(nodes))
    junctions = [k for k, node in enumerate(nodes) if node.kind == "junction"]
    total = float(lengths.sum())
    return {
        **account_of(measured.phase),
        "unit": unit,
        "prune": measured.prune,
        "pruned": measured.network.pruned,
        "share": measured.voxels / measured.counted,
        "pieces": measured.network.pieces,
        "loops": measured.network.loops,
        "nodes": len(nodes),
        "junctions": len(junctions),
        "ends": sum(node.kind == "end" for node in nodes),
        "ends_at_edge": sum(
            node.kind == "end" and edge for node, edge in zip(nodes, measured.at_edge, strict=True)
        ),
        "points": sum(node.kind == "point" for node in nodes),
        "branches": len(branches),
        "branches_of_kinds": {
            kind: sum(branch.kind == kind for branch in branches)
            for kind in ("inner", "end", "single", "loop")
        },
        "branches_at_a_junction": {
            str(count): int(number) for count, number in enumerate(np.bincount(degree[junctions])) if number
        },
        "length": total,
        "length_density": total / (measured.counted * step**3),
        "mean_branch_length": total / len(branches) if branches else None,
        "mean_radius": float((lengths * radii).sum()) / total if total else None,
        "mean_tortuosity": sum(branch.length for branch in open_ones) / apart if apart else None,
    }


def write_tables(target: Path, measured: MeasuredNetwork) -> tuple[Path, Path]:
    """Write the branches as a table, and the nodes as another beside it.

    Parameters
    ----------
    target : Path
        CSV file of the branches; that of the nodes gets "_nodes" before its ending.
    measured : MeasuredNetwork
        What was found.

    Returns
    -------
    tuple of Path
        Both files. Lengths are in µm where the size of a voxel is known, else in voxels; the unit is in the column's
        name. Positions are in voxels from the middle of the first one.
    """
    step, unit = length_of_voxel(measured.phase.volume)
    nodes, branches = measured.network.nodes, measured.network.branches
    beside = target.with_name(f"{target.stem}_nodes{target.suffix or '.csv'}")
    degree = np.bincount([node for branch in branches for node in branch.nodes], minlength=len(nodes))
    write_table(
        beside,
        ["node", "kind", "piece", "z_px", "y_px", "x_px", f"radius_{unit}", "branches", "touches_edge"],
        [_node_row(k, node, step, int(degree[k]), measured.at_edge[k]) for k, node in enumerate(nodes)],
    )
    names = [
        "branch",
        "kind",
        "piece",
        "first_node",
        "last_node",
        f"length_{unit}",
        f"distance_{unit}",
        "tortuosity",
    ]
    names += [f"{which}_radius_{unit}" for which in ("mean", "least", "largest")]
    names += [f"middle_{axis}_px" for axis in "zyx"] + ["touches_edge"]
    write_table(target, names, [_row(k, branch, step, measured.at_edge) for k, branch in enumerate(branches)])
    return target, beside


def _node_row(number: int, node: Node, step: float, branches: int, touches: bool) -> list[Any]:
    place = map(number_text, node.position)
    return [
        number + 1,
        node.kind,
        node.piece + 1,
        *place,
        number_text(node.radius * step),
        branches,
        int(touches),
    ]


def _row(number: int, branch: Branch, step: float, at_edge: tuple[bool, ...]) -> list[Any]:
    first, last = branch.nodes
    tortuosity = branch.length / branch.distance if branch.distance > 0 else None
    radii = (branch.radii.mean(), branch.radii.min(), branch.radii.max())
    return [
        number + 1,
        branch.kind,
        branch.piece + 1,
        first + 1,
        last + 1,
        number_text(branch.length * step),
        number_text(branch.distance * step),
        "" if tortuosity is None else number_text(tortuosity),
        *(number_text(radius * step) for radius in radii),
        *map(number_text, branch.path[len(branch.path) // 2]),
        int(at_edge[first] or at_edge[last]),
    ]
