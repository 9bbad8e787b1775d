"""A link: where the frame of an image or a specimen lies in that of another, how well that is known, and who says so.

A frame belongs to a specimen or to an image of a record. It is in metres, its axes are x, y and z in this order, and it
is right-handed. `specimens/heart-27` is the frame of a specimen; `records/ct-1a2b` that of a record's main image, and
`records/maps-3c4d/image-2` that of another image of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tomarium.errors import ParameterError

LINK_KINDS: Final = {
    "measured": "measured, as by a stage or a ruler",
    "automatic": "found by registration of the two images",
    "landmark": "fitted to landmarks that a person chose",
    "assumed": "assumed; nobody has measured it",
    "cut-from": "known from how the one was cut from the other",
}
"""How a link is known → words for people."""
_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_FRAME: Final = re.compile(
    r"(specimens|records)/([a-z0-9]+(?:-[a-z0-9]+)*)(?:/image-([1-9]\d{0,5}))?", re.ASCII
)

Row4 = tuple[float, float, float, float]
Row6 = tuple[float, float, float, float, float, float]
Point = tuple[float, float, float]


class Frame(NamedTuple):
    """A frame by its parts.

    Attributes
    ----------
    kind : str
        "specimens" or "records".
    id : str
        Identifier of the specimen or record.
    image : int
        Number of the image in the record; 0 is its main one.
    """

    kind: str
    id: str
    image: int = 0

    @property
    def name(self) -> str:
        """As links write it."""
        return f"{self.kind}/{self.id}" + (f"/image-{self.image}" if self.image else "")


def read_frame(text: str) -> Frame:
    """Read the name of a frame; raises ParameterError where it is none."""
    match = _FRAME.fullmatch(text)
    if match is None or (match[1] == "specimens" and match[3]):
        raise ParameterError(
            f"{text[:80]!r} is no name of a frame; write specimens/ID, records/ID or records/ID/image-2"
        )
    return Frame(match[1], match[2], int(match[3] or 0))


def is_link_id(text: str) -> bool:
    """Tell whether a text can be the identifier of a link."""
    return len(text) <= 200 and _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Landmark:
    """A point that was recognised in both frames.

    Attributes
    ----------
    name : str
        For people; may be "".
    from_m, to_m : tuple of float
        Where it lies (x, y, z) in each frame, m.
    """

    name: str
    from_m: Point
    to_m: Point


@dataclass(frozen=True)
class Link:
    """One version of a link between two frames.

    Attributes
    ----------
    from_frame, to_frame : str
        Names of the frames; "" in a file that does not know them yet.
    matrix : tuple of 4 tuples of 4 float
        Maps points (x, y, z, 1) of `from_frame` to those of `to_frame`, m. A rotation or a mirror image of one, times
        one scale, and a translation.
    covariance : tuple of 6 tuples of 6 float
        Of a small motion that is applied after the matrix about `centre_m`: its rotation vector (rad) and its
        translation (m), in `to_frame`.
    centre_m : tuple of float
        Point (x, y, z) of `to_frame`, m.
    kind : str
        A key of `LINK_KINDS`.
    mirrored : bool
        Whether it says that one of the two is a mirror image: then, and only then, the determinant is negative.
    residual_m : float or None
        Typical distance of what should meet, m; None where it is not known.
    landmarks : tuple of Landmark
        From which it was made, where it was.
    method, author, software, date, evidence : str
        How it was found, by whom, with what, on which day (ISO 8601), and where that can be looked at; "" for not told.
    id : str
        Its identifier in the catalogue; "" before it is filed.
    version : int
        From 1; a later version replaces the earlier ones.
    withdrawn : str
        Why it is not used any more; "" where it is.
    """

    from_frame: str
    to_frame: str
    matrix: tuple[Row4, Row4, Row4, Row4]
    covariance: tuple[Row6, Row6, Row6, Row6, Row6, Row6]
    centre_m: Point = (0.0, 0.0, 0.0)
    kind: str = "measured"
    mirrored: bool = False
    residual_m: float | None = None
    landmarks: tuple[Landmark, ...] = ()
    method: str = ""
    author: str = ""
    software: str = ""
    date: str = ""
    evidence: str = ""
    id: str = ""
    version: int = 1
    withdrawn: str = ""

    def other(self, frame: str) -> str:
        """Return the frame at the other end."""
        return self.to_frame if frame == self.from_frame else self.from_frame


def rows(values: Any) -> Any:
    """Turn an array or a list of lists of numbers into tuples of float, as a link holds them."""
    return tuple(tuple(float(number) for number in row) for row in values)
