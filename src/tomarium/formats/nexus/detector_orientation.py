"""How a detector of NXtomo is mirrored, said in two spellings and in two systems of axes.

Until path version 1.2 of the ESRF the detector has `x_flipped` and `y_flipped`; from 1.3 on a rotation by 180°
about an axis across the beam stands for the mirror. Which axis that is depends on the system of axes, as the
package tomoscan 2.5 reads it (`detector_is_lr_flip`): that of the ESRF (x along the beam, y across, z up) before
path version 2.0, that of McStas (z along the beam, x across, y up) since; `NeXus_Coordinate_System` of the entry
overrules the version.

Frames are mirrored as they are read, so that the axis, the angles and the slices are those of what the source saw.
Mirroring columns of a parallel beam amounts to a turn of the slices by half a circle, p(θ, -s) = p(θ + 180°, s);
mirroring rows changes the hand of the volume. (Programs differ: nabu 2026.1 mirrors the finished slices along x
instead, which changes their hand too.)
"""

from __future__ import annotations

from typing import Final

import h5py
import numpy as np

from tomarium.formats.hdf5.attributes import attribute, raw_attribute
from tomarium.formats.hdf5.source import Source

# The ESRF's axes held until this path version.
_MCSTAS_SINCE: Final = 2.0
_ACROSS: Final = {"McStas": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)), "ESRF": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0))}
"""System of axes → the axis of a turn that changes left and right, and of one that changes up and down."""


def flips(source: Source, entry: str, detector: str) -> tuple[bool, bool]:
    """Read how a detector's frames are mirrored; other turns of it are warned of.

    `entry`, `detector`: paths of the scan's group and of its detector. Result: whether left and right are
    changed, whether up and down are.
    """
    across = _is_nonzero(source, f"{detector}/x_flipped")
    upright = _is_nonzero(source, f"{detector}/y_flipped")
    group = source.find(f"{detector}/transformations")
    if isinstance(group, h5py.Group):
        turns = _turns(source, group)
        left_right, up_down = _ACROSS[_system(source, entry)]
        for name, (angle, about) in turns.items():
            half = abs(abs(angle) - 180) < 1e-6
            across |= half and about == left_right
            upright |= half and about == up_down
            if angle and not (half and about in (left_right, up_down)):
                source.warnings.append(
                    f"{group.name}/{name}: the detector is turned by {angle:g}° about {about}, which is not applied"
                )
    return across, upright


def _is_nonzero(source: Source, path: str) -> bool:
    node = source.find(path)
    return (
        isinstance(node, h5py.Dataset)
        and node.size == 1
        and node.dtype.kind in "biuf"
        and bool(np.ravel(node[()])[0])
    )


def _system(source: Source, entry: str) -> str:
    group = source.find(entry)
    assert isinstance(group, h5py.Group)
    system_name = attribute(group, "NeXus_Coordinate_System")
    if system_name in _ACROSS:
        return system_name
    try:
        version = float(attribute(group, "version") or _MCSTAS_SINCE)
    except ValueError:
        version = _MCSTAS_SINCE
    return "ESRF" if version < _MCSTAS_SINCE else "McStas"


def _turns(source: Source, group: h5py.Group) -> dict[str, tuple[float, tuple[float, ...]]]:
    """Read rotations by one angle: degrees, and the axis without its sign, which a half turn does not feel."""
    turns = {}
    for name in group:
        node = source.find(name, group)
        if not isinstance(node, h5py.Dataset) or attribute(node, "transformation_type") != "rotation":
            continue
        about = np.ravel(raw_attribute(node, "vector"))
        turn = source.quantity(name, "deg", "deg", group)
        if turn is not None and about.dtype.kind in "iuf" and about.size == 3:
            turns[name] = (turn.value, tuple(float(abs(component)) for component in about))
    return turns
