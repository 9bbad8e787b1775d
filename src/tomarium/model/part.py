"""What a record is made of: a volume, projections, a mesh, a picture and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Kind = Literal["volume", "projections", "image", "mesh", "table", "picture", "document"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True)
class Part:
    """One thing in a record's folder that people look at.

    Attributes
    ----------
    kind : str
        "volume", "projections", "image", "mesh", "table", "picture" or "document".
    path : str
        Path below the record's folder, without "/" at its end.
    role : str
        What it is in this record: "reconstruction", "raw", "preview" …; "" where nothing is known.
    frame : str
        Name of the coordinate system in which it lies; "" where it has one of its own.
    axes : tuple of Mapping
        `name`, `length`, and where they are known `step` and `unit`, in the order of the array.
    summary : Mapping
        What is told of it in short. Of a volume: `shape` (z, y, x), `dtype`, `voxel_m` (or None), `unit`, `minimum`,
        `maximum`, `mean`, `histogram` {`edges`, `counts`}, `window` (two grey values that show it well).
    """

    kind: Kind
    path: str
    role: str = ""
    frame: str = ""
    axes: tuple[Mapping[str, Any], ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
