"""What a record is made of: a volume, projections, a mesh, a picture and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Kind = Literal["volume", "projections", "image", "mesh", "table", "picture", "document"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True)
class Permission:
    """That a picture or a document of others may be published.

    Attributes
    ----------
    holder : str
        Who holds the rights.
    licence : str
        Under which terms it was given: "CC-BY-4.0", "for this record only"; "" where `text` says it.
    text : str
        What was permitted, in the holder's words; "" where the licence says all.
    date : str
        Day on which it was given, ISO 8601.
    document : str
        Where the letter or message lies that says so; "" where there is none. It is told, not published.
    """

    holder: str
    licence: str = ""
    text: str = ""
    date: str = ""
    document: str = ""


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
    creator : str
        Who made it, where that is somebody else than the record's creators, or one of them alone; "" else.
    permission : Permission or None
        That it may be published, where its creator is none of the record's.
    """

    kind: Kind
    path: str
    role: str = ""
    frame: str = ""
    axes: tuple[Mapping[str, Any], ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    creator: str = ""
    permission: Permission | None = None

    @property
    def credit(self) -> str:
        """Who made it and by whose permission it is shown, for people; "" where nothing is said of that."""
        words = [self.creator] if self.creator else []
        if self.permission is not None:
            terms = (f"© {self.permission.holder}", self.permission.licence)
            line = ", ".join(term for term in (*terms, f"by permission of {self.permission.date}") if term)
            words.append(line)
        return ". ".join(words)
