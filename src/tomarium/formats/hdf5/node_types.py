"""A type of HDF5 in the words that people use: "uint16", "text", "compound of 3"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def words_of(told: Mapping[str, Any]) -> str:
    """Word a type as `node_description.type_of` tells it."""
    kind, bits = told.get("class"), 8 * int(told.get("size", 0))
    if kind == 0:
        return f"{'int' if told.get('sign') else 'uint'}{bits}"
    if kind == 1:
        return f"float{bits}"
    if kind == 6:
        names = [member["name"] for member in told["members"]]
        return f"complex{bits}" if names == ["r", "i"] else f"compound ({', '.join(names[:8])})"
    if kind == 8:
        return (
            "boolean"
            if set(told["members"]) == {"FALSE", "TRUE"}
            else f"enumeration of {len(told['members'])}"
        )
    if kind == 9:
        return f"lists of {words_of(told['base'])}"
    if kind == 10:
        return f"{' × '.join(map(str, told['dims']))} of {words_of(told['base'])}"
    return {2: "time", 3: "text", 4: "bits", 5: "opaque bytes", 7: "reference"}.get(
        int(kind or -1), "unknown"
    )
