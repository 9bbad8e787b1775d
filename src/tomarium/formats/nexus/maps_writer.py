"""Write an image of any number of axes as NeXus: one NXdata group with its axes, positions and units."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from tomarium.errors import InputError
from tomarium.formats.frames.blocks import copy_blocks
from tomarium.formats.hdf5.two_phase_writer import two_phase_file
from tomarium.formats.hdf5.writer import nexus_entry, nexus_group, sayable
from tomarium.formats.provenance.json_values import as_json
from tomarium.model import Image

# What HDF5 paths and lists of axes take in a name.
_ODD: Final = re.compile(r"[^0-9A-Za-z_]+")


def write(path: Path, image: Image) -> None:
    """Write an image; the file appears when it is complete.

    `path`: file to write, HDF5. `image`: real numbers along one axis or more, each with a name of its own;
    read block by block. Raises InputError: the values are no real numbers, or two axes have one name.

    Notes
    -----
    The rules are those of the NeXus manual, "Associating plottable data" (2014 on): `@default` leads to /entry/data,
    whose `@signal` is "data" and whose `@axes` name the datasets of positions.
    """
    if image.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: values of {image.dtype} are no real numbers; take a part of them, such as .real"
        )
    names = [_ODD.sub("_", axis.name) or f"axis_{number}" for number, axis in enumerate(image.axes)]
    if len(set(names)) != len(names) or "data" in names:
        raise InputError(f"{path}: the axes {', '.join(names)} need names of their own, none of them data")
    with two_phase_file(path) as output:
        output.file.attrs["NX_class"] = "NXroot"
        entry = nexus_entry(output.file)
        entry["title"] = sayable(image.name)
        entry["program_name"] = "tomarium"
        entry["metadata"] = json.dumps({name: as_json(value) for name, value in image.metadata.items()})
        group = nexus_group(entry, "data", "NXdata")
        group.attrs.update({"signal": "data", "axes": np.array(names, h5py.string_dtype())})
        data = group.create_dataset("data", image.shape, image.dtype.newbyteorder("="))
        if image.unit:
            data.attrs["units"] = sayable(image.unit)
        for number, (name, axis) in enumerate(zip(names, image.axes, strict=True)):
            length = image.shape[number]
            positions = axis.coordinates or axis.offset + axis.scale * np.arange(length)
            group[name] = np.asarray(positions, np.float64)
            group[name].attrs.update({"units": sayable(axis.unit), "long_name": sayable(axis.name)})
            group.attrs[f"{name}_indices"] = number
        copy_blocks(image, data)
