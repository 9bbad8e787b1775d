"""What an HDF5 file holds, as JSON in the words that H5Web reads: those of h5grove 4."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from h5py import h5a, h5l, h5s, h5t

from tomarium.errors import FormatError
from tomarium.formats.hdf5.attributes import Node
from tomarium.formats.hdf5.errors import DAMAGE, demand_no_stop
from tomarium.formats.hdf5.names import link_in, shown
from tomarium.formats.hdf5.source import Source

MOST_CHILDREN: Final = 5_000
MOST_ATTRIBUTES: Final = 1_000
# Of a long list of members, the types of attributes are told when one of them is opened.
_MOST_WITH_ATTRIBUTES: Final = 500
_MOST_IN_ATTRIBUTE: Final = 1 << 16
_DEEPEST_TYPE: Final = 16
_ORDERS: Final = {h5t.ORDER_LE: 0, h5t.ORDER_BE: 1}
# HDF5 2.0 has complex numbers of its own; h5py knows their class from 3.14 on.
_COMPLEX: Final = 11


def describe(source: Source, path: str, *, children: bool = True) -> dict[str, Any]:
    """Describe what lies at a path, as the answer `meta` of h5grove does.

    `path`: "/entry/data". `children`: whether the members of a group are told. Result: name, kind, attributes with
    their types; of a dataset type, shape, chunks and filters. Raises FormatError where nothing is there, or the way
    leads out of the file's own folder.
    """
    node = source.find(path)
    if node is None:
        raise FormatError(f"{source.path}: {path} is not there{_absent(source)}")
    description = _node(node, path.rstrip("/").split("/")[-1], attributes=True)
    if children and isinstance(node, h5py.Group):
        description["children"] = _children(source, node)
    return description


def _absent(source: Source) -> str:
    return f" ({', '.join(source.missing)} is absent)" if source.missing else ""


def _node(node: Node, name: str, *, attributes: bool) -> dict[str, Any]:
    description: dict[str, Any] = {"name": name, "attributes": _attributes(node) if attributes else []}
    if isinstance(node, h5py.Group):
        return description | {"kind": "group"}
    plist = node.id.get_create_plist()
    chunks = plist.get_chunk() if plist.get_layout() == h5py.h5d.CHUNKED else None
    filters = [plist.get_filter(number) for number in range(plist.get_nfilters())]
    return description | {
        "kind": "dataset",
        "shape": _shape(node.id.get_space()),
        "type": type_of(node.id.get_type()),
        "chunks": None if chunks is None else list(chunks),
        "filters": [{"id": row[0], "name": row[3].decode("utf-8", "replace")} for row in filters] or None,
    }


def _children(source: Source, group: h5py.Group) -> list[dict[str, Any]]:
    links: list[tuple[bytes, int]] = []

    def note(key: bytes, info: Any) -> bool | None:
        links.append((key, info.type))
        return True if len(links) > MOST_CHILDREN else None

    group.id.links.iterate(note, info=True)
    few = len(links) <= _MOST_WITH_ATTRIBUTES
    descriptions = [_child(source, group, key, kind, few) for key, kind in links[:MOST_CHILDREN]]
    if len(links) > MOST_CHILDREN:
        more = group.id.get_num_objs() - MOST_CHILDREN
        descriptions.append({"name": f"… {more} more are not listed", "kind": "other", "attributes": []})
    return descriptions


def _child(source: Source, group: h5py.Group, key: bytes, kind: int, attributes: bool) -> dict[str, Any]:
    name = shown(key)
    try:
        node = source.find(name, group) if "/" not in name else None
        if node is not None:
            return _node(node, name, attributes=attributes)
    except (FormatError, *DAMAGE) as problem:
        demand_no_stop(
            problem
        )  # else told as what it is: a link that leads nowhere, or a node that does not open
    description = {"name": name, "attributes": []}
    if kind == h5l.TYPE_SOFT:
        link = link_in(group, key)
        return description | {"kind": "soft_link", "target_path": getattr(link, "path", "")}
    if kind == h5l.TYPE_EXTERNAL:
        link = link_in(group, key)
        # The name alone: where it lay on another machine is nobody's business here.
        name = Path(getattr(link, "filename", "")).name
        return description | {
            "kind": "external_link",
            "target_file": name,
            "target_path": getattr(link, "path", ""),
        }
    return description | {"kind": "other"}


def _attributes(node: Node) -> list[dict[str, Any]]:
    attributes = []
    for number in range(min(h5a.get_num_attrs(node.id), MOST_ATTRIBUTES)):
        attribute = h5a.open(node.id, index=number)
        attributes.append(
            {
                "name": attribute.name.decode("utf-8", "replace"),
                "shape": _shape(attribute.get_space()),
                "type": type_of(attribute.get_type()),
            }
        )
    return attributes


def _shape(space: h5s.SpaceID) -> list[int] | None:
    if space.get_simple_extent_type() == h5s.NULL:
        return None
    return [int(length) for length in space.shape]


def type_of(kind: h5t.TypeID, depth: int = 0) -> dict[str, Any]:
    """Describe a type as h5grove does: its HDF5 class, size in bytes, and what belongs to that class."""
    description: dict[str, Any] = {"class": int(kind.get_class()), "size": int(kind.get_size())}
    if depth > _DEEPEST_TYPE:
        return {"class": -1, "size": description["size"]}
    if isinstance(kind, h5t.TypeEnumID):
        members = {}
        for number in range(kind.get_nmembers()):
            name = kind.get_member_name(number)
            members[name.decode("utf-8", "replace")] = int(kind.get_member_value(number))
        return description | {"members": members, "base": type_of(kind.get_super(), depth + 1)}
    if isinstance(kind, h5t.TypeIntegerID):
        return description | {"order": _ORDERS.get(kind.get_order(), 4), "sign": int(kind.get_sign())}
    if isinstance(kind, h5t.TypeFloatID):
        return description | {"order": _ORDERS.get(kind.get_order(), 4)}
    if isinstance(kind, h5t.TypeStringID):
        return description | {
            "cset": int(kind.get_cset()),
            "strPad": int(kind.get_strpad()),
            "vlen": bool(kind.is_variable_str()),
        }
    if isinstance(kind, h5t.TypeCompoundID):
        parts = range(kind.get_nmembers())
        return description | {
            "members": [
                {
                    "name": kind.get_member_name(number).decode("utf-8", "replace"),
                    **type_of(kind.get_member_type(number), depth + 1),
                }
                for number in parts
            ]
        }
    if isinstance(kind, h5t.TypeArrayID):
        dims = [int(length) for length in kind.get_array_dims()]
        return description | {"dims": dims, "base": type_of(kind.get_super(), depth + 1)}
    if isinstance(kind, h5t.TypeVlenID):
        return description | {"base": type_of(kind.get_super(), depth + 1)}
    if isinstance(kind, h5t.TypeOpaqueID):
        return description | {"tag": kind.get_tag().decode("utf-8", "replace")}
    if description["class"] == _COMPLEX:
        part = {"class": int(h5t.FLOAT), "size": description["size"] // 2, "order": 0}
        return description | {
            "class": int(h5t.COMPOUND),
            "members": [{"name": "r", **part}, {"name": "i", **part}],
        }
    return description


def attribute_values(source: Source, path: str) -> dict[str, Any]:
    """Read all attributes of a group or dataset: name → JSON value; one that is too large or odd is told in words."""
    node = source.find(path)
    if node is None:
        raise FormatError(f"{source.path}: {path} is not there{_absent(source)}")
    return {
        attribute.name.decode("utf-8", "replace"): _attribute_value(node, attribute)
        for attribute in (
            h5a.open(node.id, index=number)
            for number in range(min(h5a.get_num_attrs(node.id), MOST_ATTRIBUTES))
        )
    }


def _attribute_value(node: Node, attribute: h5a.AttrID) -> Any:
    if math.prod(attribute.shape or ()) > _MOST_IN_ATTRIBUTE:
        return f"{math.prod(attribute.shape)} values, which are too many to be shown"
    try:
        name = attribute.name
        return plain(node.attrs[name.decode("utf-8", "surrogateescape")])
    except DAMAGE as problem:
        demand_no_stop(problem)
        return f"cannot be read ({str(problem)[:200]})"


def plain(value: Any) -> Any:
    """Turn what h5py returns into JSON values.

    Result: complex numbers are [real, imaginary], compounds lists of their members, a number that is none (NaN,
    infinite) is null, bytes are texts, references are words.
    """
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    if isinstance(value, (h5py.Reference, h5py.RegionReference)):
        return "a reference" if value else "an empty reference"
    if isinstance(value, np.void):
        if value.dtype.names:
            return [plain(value[name]) for name in value.dtype.names]
        return value.tobytes().hex()
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    return str(value)[:1000]


def _plain_array(value: np.ndarray[Any, Any]) -> Any:
    if value.dtype.kind in "iub" or (value.dtype.kind == "f" and bool(np.isfinite(value).all())):
        return value.tolist()
    if value.ndim == 0:
        return plain(value[()])
    return [plain(element) for element in value]
