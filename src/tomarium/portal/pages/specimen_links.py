"""Links between the images of a specimen: their versions, a form to add one by points, and to withdraw one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import HTTPException, Query
from sqlalchemy import Row

from tomarium import units
from tomarium.catalogue.align_job import alignments_asked
from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.link_edit import may_change_both, may_change_frame
from tomarium.catalogue.link_request import fitted, read_pairs
from tomarium.catalogue.links import versions_of, withdrawn_links
from tomarium.catalogue.specimen_space import space_of
from tomarium.errors import InputError
from tomarium.model import Link
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.pages.specimen_images import LinkLine, link_line
from tomarium.portal.point_pictures import Click, Crop, crop_of, point_in_words
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.specimen.image_frame import ImageFrame, read_point
from tomarium.specimen.landmarks import FEWEST, Landmark
from tomarium.specimen.link_file import link_json
from tomarium.specimen.where import where
from tomarium.viewers.specimen_map import DRAWN

_NEAR_SLICE = 0.75  # slices away from the one that is shown within which a point is marked in it


@dataclass(frozen=True)
class Side:
    """One of the two pictures in which points are chosen.

    Attributes
    ----------
    key, words : str
        "from" or "to", and what stands above.
    image : ImageFrame
        What is shown.
    crop : Crop
        The picture.
    plane, slice, last : str
        Axis across which a volume is cut, index of the slice and of the last one; "" of a plane.
    marks : tuple of (str, float, float)
        Number of each pair whose point lies in the picture, and its place there, pixels.
    held : str
        The point that waits for the one in the other picture.
    """

    key: str
    words: str
    image: ImageFrame
    crop: Crop
    plane: str
    slice: str
    last: str
    marks: tuple[tuple[str, float, float], ...]
    held: str


@dataclass(frozen=True)
class History:
    """A link with its versions.

    Attributes
    ----------
    id, withdrawn : str
        Its identifier, and why it is not used any more.
    lines : tuple of LinkLine
        All versions, the latest first.
    mine : bool
        Whether the reader may withdraw it.
    """

    id: str
    withdrawn: str
    lines: tuple[LinkLine, ...]
    mine: bool


@dataclass(frozen=True)
class AskedAlignment:
    """An alignment that was asked for.

    Attributes
    ----------
    number : int
        Of its job.
    state, ends, told, asked_by : str
        "waiting", "running", "done" or "failed"; the two images; what came of it, with the candidates where it was not
        found; and who asked.
    """

    number: int
    state: str
    ends: str
    told: str
    asked_by: str


@dataclass(frozen=True)
class SpecimenLinksPage:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Name and identifier of the specimen.
    links : tuple of Mapping
        All versions of all links, as link.json tells them, the latest of each first.
    asked : tuple of AskedAlignment
        Alignments of the images that the reader may change, the newest first.
    histories : tuple of History
        For people: links in use, then those that were withdrawn.
    choices : tuple of (str, str)
        Frames and titles of the images that the reader may change.
    sides : tuple of Side
        The two pictures; empty where fewer than two images are the reader's.
    pairs : str
        The points that were chosen, a line a pair.
    fit : tuple of (str, str)
        What they give: name and words.
    problem : str
        Why they give nothing.
    between : tuple of str
        Links of the chosen two.
    ticks : Mapping of str to bool
        Whether a mirror image and a factor are tried.
    busy : bool
        Whether an alignment waits or is being made.
    above, said : str
        The page of the images, and what was just done.
    """

    title: str
    id: str
    links: tuple[dict[str, Any], ...]
    asked: tuple[AskedAlignment, ...]
    histories: tuple[History, ...] = field(metadata=FOR_PEOPLE)
    choices: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    sides: tuple[Side, ...] = field(metadata=FOR_PEOPLE)
    pairs: str = field(metadata=FOR_PEOPLE)
    fit: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    problem: str = field(metadata=FOR_PEOPLE)
    between: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    ticks: Mapping[str, bool] = field(metadata=FOR_PEOPLE)
    busy: bool = field(metadata=FOR_PEOPLE)
    above: str = field(metadata=FOR_PEOPLE)
    said: str = field(metadata=FOR_PEOPLE)


FrameName = Annotated[str, Query(max_length=300)]
Short = Annotated[str, Query(max_length=60, include_in_schema=False)]
Number = Annotated[int, Query(ge=0, le=1_000_000)]
Axis = Literal["z", "y", "x"]


def content(
    request_context: CurrentRequest,
    id: str,
    start: Annotated[
        str, Query(alias="from", max_length=300, description="Frame of the image that lies in `to`")
    ] = "",
    to: FrameName = "",
    plane_from: Axis = "z",
    plane_to: Axis = "z",
    slice_from: Short = "",
    slice_to: Short = "",
    pairs: Annotated[
        str, Query(max_length=8000, description="Points in both, a line each: x, y mm = x, y, z mm")
    ] = "",
    mirror: Short = "",
    scale: Short = "",
    of: Annotated[str, Query(max_length=700, include_in_schema=False)] = "",
    held_from: Annotated[str, Query(max_length=120, include_in_schema=False)] = "",
    held_to: Annotated[str, Query(max_length=120, include_in_schema=False)] = "",
    box_from: Short = "",
    box_to: Short = "",
    shown_from: Short = "",
    shown_to: Short = "",
    drawn_from: Short = "",
    drawn_to: Short = "",
    from_x: Annotated[int, Query(alias="in_from.x", ge=0, le=10_000)] = 0,
    from_y: Annotated[int, Query(alias="in_from.y", ge=0, le=10_000)] = 0,
    to_x: Annotated[int, Query(alias="in_to.x", ge=0, le=10_000)] = 0,
    to_y: Annotated[int, Query(alias="in_to.y", ge=0, le=10_000)] = 0,
    said: Annotated[str, Query(max_length=300, include_in_schema=False)] = "",
) -> SpecimenLinksPage:
    """Show the links between the images of a specimen with their versions, and two images in which points are chosen.

    A click in one picture (`in_from.x` …, with `box_from`, `shown_from` and `drawn_from`, which tell what it showed)
    waits for a click in the other; both become a line of `pairs`.
    """
    reader = request_context.reader
    with request_context.catalogue.reading() as connection:
        held_entity = entity_of(connection, reader, id)
        if held_entity is None or held_entity.entity.kind != "specimen":
            raise HTTPException(404, f"There is no specimen “{id[:80]}” in this catalogue.")
        space = space_of(connection, reader, id)
        own_images = [image for image in space.images if may_change_frame(connection, reader, image.frame)]
        used = [*space.links, *withdrawn_links(connection, reader, space.frames)]
        versions = [versions_of(connection, reader, link.id) for link in used]
        histories = tuple(
            _history(
                version,
                space.frames,
                not version[0].withdrawn and may_change_both(connection, reader, version[0]),
            )
            for version in versions
            if version
        )
        jobs = alignments_asked(connection, *(image_frame.frame for image_frame in own_images))
    images = _two(own_images, start, to)
    sides: tuple[Side, ...] = ()
    fit: tuple[tuple[str, str], ...] = ()
    problem = ""
    if images is not None:
        same = of in ("", f"{images[0].frame} {images[1].frame}")
        pairs = pairs if same else ""
        clicks = (
            Click(from_x, from_y, box_from, shown_from, *_cut(drawn_from)),
            Click(to_x, to_y, box_to, shown_to, *_cut(drawn_to)),
        )
        waiting = [
            _waiting(image, click if same else None, text if same else "")
            for image, click, text in zip(images, clicks, (held_from, held_to), strict=True)
        ]
        if all(waiting):
            pairs = "\n".join([*pairs.split("\n"), " = ".join(waiting)]).strip()
            waiting = ["", ""]
        try:
            chosen = read_pairs(pairs, *images)
        except InputError as error:
            chosen, problem = [], f"{error}."
        if len(chosen) >= FEWEST:
            try:
                fit = _fit(chosen, bool(mirror), bool(scale))
            except InputError as error:
                problem = f"{error}."
        chosen_slices = ((plane_from, slice_from), (plane_to, slice_to))
        sides = tuple(
            _side(request_context, key, image, *chosen_slices[number], waiting[number], chosen)
            for number, (key, image) in enumerate(zip(("from", "to"), images, strict=True))
        )
    return SpecimenLinksPage(
        title=held_entity.entity.name,
        id=id,
        links=tuple(link_json(link) for version in versions for link in version),
        asked=tuple(_asked_alignment(job, space.frames) for job in jobs),
        histories=histories,
        choices=tuple((image_frame.frame, image_frame.title) for image_frame in own_images),
        sides=sides,
        pairs=pairs,
        fit=fit,
        problem=problem,
        between=_between(space.links, images),
        ticks={"mirror": bool(mirror) or not of, "scale": bool(scale)},
        busy=any(job.state in ("waiting", "running") for job in jobs),
        above=request_context.link("specimen_images", {"id": id}),
        said=said,
    )


def _two(own_images: Sequence[ImageFrame], start: str, to: str) -> tuple[ImageFrame, ImageFrame] | None:
    """Choose the two images: those that are asked for, else the first flat one in the first other."""
    by_name = {image_frame.frame: image_frame for image_frame in own_images}
    for name in filter(None, (start, to)):
        if name not in by_name:
            raise HTTPException(
                404, f"There is no image “{name[:120]}” of this specimen that you may change."
            )
    if len(own_images) < 2:
        return None
    first = by_name.get(start) or next(
        (image_frame for image_frame in own_images if image_frame.flat and image_frame.frame != to), None
    )
    first = first or next(image_frame for image_frame in own_images if image_frame.frame != to)
    second = by_name.get(to) or next(
        image_frame for image_frame in own_images if image_frame.frame != first.frame
    )
    if first.frame == second.frame:
        second = next(image_frame for image_frame in own_images if image_frame.frame != first.frame)
    return first, second


def _between(links: Sequence[Link], images: tuple[ImageFrame, ImageFrame] | None) -> tuple[str, ...]:
    ends = {image.frame for image in images or ()}
    return tuple(link.id for link in links if {link.from_frame, link.to_frame} == ends)


def _cut(drawn: str) -> tuple[str, str]:
    plane, _, index = drawn.partition(",")
    return plane, index


def _waiting(image: ImageFrame, click: Click | None, text: str) -> str:
    """Return the point that is chosen in one picture, in words; "" for none."""
    if click is not None and click.box and (click.x or click.y):
        return point_in_words(image, click.point_in(image))
    return point_in_words(image, read_point(text, image)) if text.strip() else ""


def _side(
    request_context: RequestContext, key: str, image: ImageFrame, plane: str, index: str, held_point: str,
    pairs: Sequence[Landmark],
) -> Side:  # fmt: skip
    axis = "z" if image.flat else plane
    right, down = DRAWN[axis]
    across = 3 - right - down
    pixel = np.array([(n - 1) / 2 for n in image.shape])
    number = round(float(pixel[across]))
    if not image.flat and index.isascii() and index.isdecimal():
        number = min(int(index), image.shape[across] - 1)
    pixel[across] = number
    point = read_point(held_point, image) if held_point else image.point_of(pixel)
    if held_point and not image.flat:
        in_slice = image.pixel_of(point)
        in_slice[across] = number
        point = image.point_of(in_slice)
    crop = crop_of(
        request_context, where([], [image], image.frame, point)[0], {image.frame: image.title}, axis, True, ""
    )
    marks = []
    for pair in pairs:
        at = np.zeros(3)
        at[: image.count] = image.pixel_of(pair.moving_m if key == "from" else pair.fixed_m)
        place = (at[[right, down]] + 0.5) / np.array(image.shape)[[right, down]] * (crop.width, crop.height)
        if (
            abs(at[across] - number) <= _NEAR_SLICE
            and (place >= 0).all()
            and (place <= (crop.width, crop.height)).all()
        ):
            marks.append((pair.name, round(float(place[0]), 1), round(float(place[1]), 1)))
    words = "Lies in the other" if key == "from" else "Holds it"
    last = "" if image.flat else str(image.shape[across] - 1)
    return Side(
        key,
        words,
        image,
        crop,
        "" if image.flat else axis,
        "" if image.flat else str(number),
        last,
        tuple(marks),
        held_point,
    )


def _fit(pairs: list[Landmark], mirror: bool, scale: bool) -> tuple[tuple[str, str], ...]:
    alignment = fitted(pairs, mirror=mirror, scale=scale)
    rows = (
        [("Mirrored", "found mirrored: one image is a mirror image of the other")]
        if alignment.mirrored
        else []
    )
    rows += [
        ("Residual", units.show(alignment.figures["residual_m"], "m", 3)),
        ("Each left out in turn", units.show(alignment.figures["left_out_m"], "m", 3)),
        ("Error of a point", f"{units.show(alignment.tre_m, 'm', 3)}, 1 σ"),
    ]
    if scale:
        rows.append(("Factor", f"{alignment.scale:.4f} ± {alignment.figures['scale_sigma']:.4f}"))
    return (*rows, *(("Note", note) for note in alignment.notes))


def _history(versions: Sequence[Link], titles: dict[str, str], mine: bool) -> History:
    return History(
        versions[0].id, versions[0].withdrawn, tuple(link_line(version, titles) for version in versions), mine
    )


def _asked_alignment(job: Row[Any], titles: Mapping[str, str]) -> AskedAlignment:
    start, end = (str(job.arguments[name]) for name in ("from", "to"))
    return AskedAlignment(
        job.number, job.state, f"{titles.get(start, start)} in {titles.get(end, end)}", job.told, job.asked_by
    )


SPECIMEN_LINKS = Page(
    name="specimen_links",
    path="/specimens/{id}/links",
    json_path="/specimens/{id}/links.json",
    template="specimen_links.html",
    content=content,
)
