"""The text beside a raw volume: `<name>.vol.info` and `<name>.vol.xml` as PyHST writes them.

The keys NUM_X, NUM_Y, NUM_Z, voxelSize (µm), BYTEORDER, ValMin, ValMax, s1, s2, S1, S2 and the tree of the XML
are those of PyHST's own writer; keys are told apart by their case, since `s1` and `S1` are two. DATATYPE and
valueUnit are tomarium's additions, which other readers pass over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np

from tomarium.errors import FormatError
from tomarium.formats.opening.key_value_text import read_key_values
from tomarium.formats.resumable.value_range import ValueRange, quantiles

FIRST_LINE: Final = "! PyHST_SLAVE VOLUME INFO FILE"
# Shares of the voxels below the narrow bounds s1, s2 and the wide ones S1, S2 as tomarium writes them; which
# PyHST takes is not documented.
BOUNDS: Final = {"s1": 0.001, "s2": 0.999, "S1": 0.00001, "S2": 0.99999}
# nabu writes this voxel size where it knows none.
_NABU_DEFAULT_UM: Final = 40.0
_XML_SIZES: Final = {"SIZEX": "NUM_X", "SIZEY": "NUM_Y", "SIZEZ": "NUM_Z", "BYTE_ORDER": "BYTEORDER"}


@dataclass(frozen=True)
class VolumeInfo:
    """What the text beside a volume says."""

    source: str  # name of the file it was read from
    shape: tuple[int, int, int]  # z, y, x
    byte_order: str  # little or big endian
    dtype: str  # NumPy's name of the type, or "" where the text gives none
    voxel_m: float | None  # edge of a voxel, m
    unit: str  # unit of the values, or ""
    values: Mapping[str, str]  # every key as it stands
    notes: tuple[str, ...]  # what was assumed or looks wrong, in words


def read_volume_info(path: Path) -> VolumeInfo:
    """Read the `.info` of a volume, or its `.xml`."""
    values = {_XML_SIZES.get(key, key): text for key, text in read_key_values(path, "a volume").items()}
    notes: list[str] = []
    sizes = [_size(path, values, f"NUM_{axis}") for axis in "ZYX"]
    order = values.get("BYTEORDER", "").upper()
    if order not in ("LOWBYTEFIRST", "HIGHBYTEFIRST"):
        order_text = f"BYTEORDER is {order!r}" if order else "no BYTEORDER is given"
        notes.append(f"{path.name}: {order_text}; little endian was assumed, as PyHST writes")
    return VolumeInfo(
        source=path.name,
        shape=(sizes[0], sizes[1], sizes[2]),
        byte_order=">" if order == "HIGHBYTEFIRST" else "<",
        dtype=_dtype(path, values.get("DATATYPE", "")),
        voxel_m=_voxel(path, values.get("voxelSize", ""), notes),
        unit=values.get("valueUnit", ""),
        values=values,
        notes=tuple(notes),
    )


def _size(path: Path, values: Mapping[str, str], key: str) -> int:
    text = values.get(key, "")
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
        found_text = f"{key} is {text[:40]!r}" if text else f"{key} is absent"
        raise FormatError(f"{path}: {found_text}; write {key} = and the number of voxels along that axis")
    return int(text)


def _dtype(path: Path, text: str) -> str:
    if not text:
        return ""
    try:
        dtype = np.dtype(text.lower())
    except TypeError as problem:
        raise FormatError(
            f"{path}: DATATYPE is {text!r}; write a type such as uint16 or float32"
        ) from problem
    if dtype.kind not in "iuf":
        raise FormatError(f"{path}: DATATYPE is {text!r}, no number; write a type such as uint16 or float32")
    return dtype.name


def _voxel(path: Path, text: str, notes: list[str]) -> float | None:
    try:
        um = Decimal(text)
    except InvalidOperation:
        notes.append(f"{path.name}: voxelSize is {text!r}" if text else f"{path.name}: no voxelSize is given")
        return None
    if not um.is_finite() or um <= 0:
        notes.append(f"{path.name}: voxelSize is {text}, which cannot be, and was left out")
        return None
    if um == Decimal(_NABU_DEFAULT_UM):
        notes.append(f"{path.name}: voxelSize is 40 µm, which nabu writes where it knows none; check it")
    return float(um.scaleb(-6))


def in_micrometres(length_m: float) -> str:
    """Write a length in µm without losing a digit."""
    return f"{Decimal(repr(float(length_m))).scaleb(6):f}"


def volume_info_text(
    shape: tuple[int, int, int], dtype: str, voxel_m: float | None, unit: str, values: ValueRange
) -> str:
    """Write the `.info` of a little-endian volume.

    `dtype`: type of a voxel; "" for a `.vol`, which is float32 always. `voxel_m`: edge of a voxel, m.
    `values`: least and greatest value and a sample of all. Result: the text. s1, s2 leave out 0.1 % of the
    voxels at each end, S1, S2 0.001 %.
    """
    lines = [FIRST_LINE, *(f"{key} =  {value}" for key, value in _entries(shape, voxel_m, values).items())]
    lines += [f"DATATYPE = {dtype}"] if dtype else []
    lines += [f"valueUnit = {unit}"] if unit else []
    return "\n".join(lines) + "\n"


def volume_xml_text(name: str, shape: tuple[int, int, int], voxel_m: float | None, values: ValueRange) -> str:
    """Write the `.xml` of a little-endian float32 volume.

    `voxel_m`: edge of a voxel, m. `values`: least and greatest value and a sample of all.
    """
    entries = _entries(shape, voxel_m, values)
    root = ElementTree.Element("tomodb2")
    reconstruction = ElementTree.SubElement(root, "reconstruction")
    ElementTree.SubElement(reconstruction, "idAc").text = "N_A_"
    listed = ElementTree.SubElement(reconstruction, "listSubVolume")
    volume = ElementTree.SubElement(listed, "subVolume")
    leaves = {"SUBVOLUME_NAME": name, "SIZEX": str(shape[2]), "SIZEY": str(shape[1]), "SIZEZ": str(shape[0])}
    leaves |= {"ORIGINX": "1", "ORIGINY": "1", "ORIGINZ": "1", "DIM_REC": str(math.prod(shape))}
    leaves |= {"BYTE_ORDER": "LOWBYTEFIRST"}
    leaves |= {key: entries[key] for key in ("voxelSize", "ValMin", "ValMax", *BOUNDS) if key in entries}
    for tag, text in leaves.items():
        ElementTree.SubElement(volume, tag).text = text
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, "unicode")}\n'


def _entries(shape: tuple[int, int, int], voxel_m: float | None, values: ValueRange) -> dict[str, str]:
    entries = {f"NUM_{axis}": str(length) for axis, length in zip("XYZ", shape[::-1], strict=True)}
    if voxel_m is not None:
        entries["voxelSize"] = in_micrometres(voxel_m)
    entries["BYTEORDER"] = "LOWBYTEFIRST"
    if math.isfinite(values.least):
        bounds = quantiles(values, tuple(BOUNDS.values()))
        entries |= {"ValMin": repr(values.least), "ValMax": repr(values.greatest)}
        entries |= {key: repr(bounds[share]) for key, share in BOUNDS.items()}
    return entries
