"""Specimens at one scale: up to six records drawn in a row, with their heights and widths in mm."""

from __future__ import annotations

from dataclasses import dataclass, field

from tomarium.catalogue import search
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.sizes import Records, chosen
from tomarium.viewers.silhouette import MOST, in_a_row, in_mm

OFFERED = 24


@dataclass(frozen=True)
class Specimen:
    """One that is drawn.

    Attributes
    ----------
    letter, id, title, page : str
        Its letter in the picture; of the record; address of its page.
    height_m, width_m : float
        Along z and along x, m.
    known_to_m : float
        How well both are known: a pixel of the silhouette on either side.
    cut : bool
        Whether it reaches an edge of the volume, so that the specimen may be larger.
    height, width, known_to : str
        The same in mm.
    """

    letter: str
    id: str
    title: str
    page: str
    height_m: float
    width_m: float
    known_to_m: float
    cut: bool
    height: str = field(metadata=FOR_PEOPLE)
    width: str = field(metadata=FOR_PEOPLE)
    known_to: str = field(metadata=FOR_PEOPLE)


@dataclass(frozen=True)
class Offered:
    """A record that may be chosen.

    Attributes
    ----------
    id, title : str
        Of the record.
    drawn : bool
        Whether it is in the picture.
    """

    id: str
    title: str
    drawn: bool


@dataclass(frozen=True)
class SizesPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    specimens : tuple of Specimen
        From left to right.
    picture : str
        Address of the picture; "" where none is chosen.
    pixel_m, bar_m : float
        Width of a pixel of the picture, and length of its scale bar, m; 0 where none is chosen.
    bar : str
        Length of the scale bar in mm.
    most : int
        How many may be chosen.
    choices : tuple of Offered
        The newest records with volumes of known voxel size, and those that are drawn.
    """

    title: str
    specimens: tuple[Specimen, ...]
    picture: str
    pixel_m: float
    bar_m: float
    bar: str = field(metadata=FOR_PEOPLE)
    most: int = field(metadata=FOR_PEOPLE)
    choices: tuple[Offered, ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest, records: Records = None) -> SizesPage:
    """Draw the specimens of records beside one another at one scale, and tell their heights and widths."""
    outlined = chosen(request_context, records)
    specimens = []
    for number, (record, _, silhouette) in enumerate(outlined):
        height, width = silhouette.size_m
        specimens.append(
            Specimen(
                letter="ABCDEF"[number],
                id=record.id,
                title=record.title,
                page=request_context.link("record", {"id": record.id}),
                height_m=height,
                width_m=width,
                known_to_m=2 * max(silhouette.pixel_m),
                cut=silhouette.cut,
                height=in_mm(height),
                width=in_mm(width),
                known_to=in_mm(2 * max(silhouette.pixel_m)),
            )
        )
    _, pixel_m, bar_m = (
        in_a_row([silhouette for _, _, silhouette in outlined]) if outlined else (b"", 0.0, 0.0)
    )
    ids = [specimen.id for specimen in specimens]
    hits = search(request_context.catalogue, request_context.reader, "", limit=OFFERED).hits
    offered = [hit for hit in hits if hit.shape and hit.thumbnail and hit.voxel_m and hit.id not in ids]
    return SizesPage(
        title="Specimens at one scale",
        specimens=tuple(specimens),
        picture=request_context.link("sizes.picture", query={"records": ",".join(ids)}) if ids else "",
        pixel_m=pixel_m,
        bar_m=bar_m,
        bar=in_mm(bar_m),
        most=MOST,
        choices=(
            *(Offered(specimen.id, specimen.title, True) for specimen in specimens),
            *(Offered(hit.id, hit.title, False) for hit in offered),
        ),
    )


SIZES = Page(
    name="sizes",
    path="/compare/sizes",
    json_path="/compare/sizes.json",
    template="sizes.html",
    content=content,
)
