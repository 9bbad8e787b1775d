"""Motors of a NeXus entry: translations and transformations of the sample, and groups NXpositioner.

Sources: NXtomo, NXsample, NXpositioner and NXtransformations of the NeXus definitions v2026.01 (NIAC).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.motors import by_short_names, motor_at
from tomarium.formats.hdf5.names import path_of, shown
from tomarium.formats.hdf5.source import Source
from tomarium.formats.nexus.nxtomo_entries import Place
from tomarium.model import MotorPositions

TRANSLATIONS: Final = tuple(f"{{entry}}/sample/{axis}_translation" for axis in "xyz")
TRANSFORMATIONS: Final = "{entry}/sample/transformations"
# Groups whose members may be NXpositioner, which may also lie in the entry itself.
HOMES: Final = ("{entry}", "{entry}/sample", "{entry}/instrument", "{parent}/sample", "{parent}/instrument")
# Of a group with more members the first are looked at.
_MOST_MEMBERS: Final = 512


def motors_of(source: Source, place: Place, chosen: NDArray[np.bool_]) -> dict[str, MotorPositions]:
    """Read where the motors of a scan stood at its projections.

    `chosen`, shape (frame,): which frames are projections. Result: name → positions; of an NXpositioner its field
    `name`, else that of its group. Translations without a unit are left out, as NXtomo demands one.
    """
    count = int(chosen.sum())
    motors_by_name: dict[str, MotorPositions] = {}
    motors: list[tuple[str, MotorPositions]] = []
    for path in place.paths(*TRANSLATIONS):
        motor_positions = motor_at(source, path, count, chosen=chosen, demand_unit=True)
        motors += [] if motor_positions is None else [(path, motor_positions)]
    for path in _transformations(source, place.paths(TRANSFORMATIONS)[0]):
        motor_positions = motor_at(source, path, count, chosen=chosen, demand_unit=True)
        motors += [] if motor_positions is None else [(path, motor_positions)]
    for group in _positioners(source, place):
        motor_positions = motor_at(source, "value", count, group, chosen=chosen)
        name = source.text("name", group)
        if motor_positions is not None and name and name not in motors_by_name:
            motors_by_name[name] = motor_positions
        elif motor_positions is not None:
            motors.append((path_of(group), motor_positions))
    return by_short_names(motors) | motors_by_name


def _transformations(source: Source, path: str) -> Iterator[str]:
    group = source.find(path)
    for name in list(group)[:_MOST_MEMBERS] if isinstance(group, h5py.Group) else ():
        node = source.find(shown(name), group)
        if isinstance(node, h5py.Dataset) and attribute(node, "transformation_type") in (
            "translation",
            "rotation",
        ):
            yield path_of(node)


def _positioners(source: Source, place: Place) -> Iterator[h5py.Group]:
    seen: set[str] = set()
    for home in place.paths(*HOMES):
        group = source.find(home)
        for _, node in source.groups(group, (b"value",)) if isinstance(group, h5py.Group) else ():
            if attribute(node, "NX_class") == "NXpositioner" and path_of(node) not in seen:
                seen.add(path_of(node))
                yield node
