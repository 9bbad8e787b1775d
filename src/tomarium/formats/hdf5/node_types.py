"""A type of HDF5 in the words that people use: "uint16", "text", "compound of 3"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def words_of(description: Mapping[str, Any]) -> str:
    """Word a type as `node_description.type_of` tells it."""
    kind, bits = description.get("class"), 8 * int(description.get("size", 0))
    if kind == 0:
        return f"{'int' if description.get('sign') else 'uint'}{bits}"
    if kind == 1:
        return f"float{bits}"
    if kind == 6:
        names = [member["name"] for member in description["members"]]
        return f"complex{bits}" if names == ["r", "i"] else f"compound ({', '.join(names[:8])})"
    if kind == 8:
        return (
            "boolean"
            if set(description["members"]) == {"FALSE", "TRUE"}
            else f"enumeration of {len(description['members'])}"
        )
    if kind == 9:
        return f"lists of {words_of(description['base'])}"
    if kind == 10:
        return f"{' × '.join(map(str, description['dims']))} of {words_of(description['base'])}"
    return {2: "time", 3: "text", 4: "bits", 5: "opaque bytes", 7: "reference"}.get(
        int(kind or -1), "unknown"
    )
