"""The images of a specimen in space: the tree, a map to scale, the links, and a point in all images at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import HTTPException, Query

from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.specimen_space import Space, space_of
from tomarium.catalogue.specimen_tree import image_words, space_json, tree_of, warnings_of
from tomarium.model import Link
from tomarium.model.link import LINK_KINDS, read_frame
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.point_pictures import Click, Crop, crop_of, in_words, point_in_words
from tomarium.portal.request_context import CurrentRequest, RequestContext
from tomarium.portal.volume_view import MOST_WITH
from tomarium.specimen.image_frame import ImageFrame, read_point
from tomarium.specimen.pose import sigma
from tomarium.specimen.resolve import groups
from tomarium.specimen.where import Found, Unknown, where
from tomarium.viewers.specimen_map import DRAWN, Map, Span, map_of, plan_svg, size_in_words

MOST_CROPS = 40
"""Most images in which a point is shown."""


@dataclass(frozen=True)
class Place:
    """Something with an address.

    Attributes
    ----------
    words, address : str
        What it is called, and where it leads; "" where it is what is shown.
    """

    words: str
    address: str


@dataclass(frozen=True)
class ImageLine:
    """An image in the tree and on the axis of sizes.

    Attributes
    ----------
    number : int
        By which the map names it.
    words, size, page, zoom : str
        Its title, how large and how fine it is, the page of its record, and the map with it filling the picture.
    """

    number: int
    words: str
    size: str
    page: str
    zoom: str


@dataclass(frozen=True)
class TreeLine:
    """A specimen in the tree.

    Attributes
    ----------
    words, how, address : str
        Its name, what it was made from, and its page; no address for images of no specimen.
    depth : int
        How far below the first it stands.
    images : tuple of ImageLine
        Its own.
    without : tuple of (str, str, str)
        Title, page and reason of its records without an image to be linked.
    """

    words: str
    how: str
    address: str
    depth: int
    images: tuple[ImageLine, ...]
    without: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class LinkLine:
    """A link in the table.

    Attributes
    ----------
    id, ends, kind, known, by : str
        Its identifier and version, what it links, how it is known, how well, and by whom and when.
    """

    id: str
    ends: str
    kind: str
    known: str
    by: str


@dataclass(frozen=True)
class SpecimenImagesPage:
    """Content of the page.

    Attributes
    ----------
    title, id : str
        Name and identifier of the specimen.
    above : str
        Its page.
    counts : tuple of int
        How many images and links there are.
    space : Mapping
        Specimens, images, links and warnings, as `specimen tree --json` tells them.
    tree : tuple of TreeLine
        For people.
    warnings : tuple of str
        What is wrong or missing.
    plan : Markup
        The map, "" where there is no image.
    plan_title : str
        What fills it.
    around, beside, alongs : tuple of Place
        Images in which all of the map lies, images out of its sight, and the axes to look along.
    left_out : tuple of str
        Images whose place is not known.
    volumes : str
        Address of the largest volume in Neuroglancer with those that links connect with it; "" where there are none.
    spans, ticks : tuple
        The axis of sizes.
    links : tuple of LinkLine
        For people.
    choices : tuple of (str, str)
        Frames and titles of the images in which a point can be given.
    frame, at, plane : str
        The point: in which image, where, and which slice of volumes is shown.
    crops : tuple of Crop
        The point in each image.
    """

    title: str
    id: str
    above: str = field(metadata=FOR_PEOPLE)
    counts: tuple[int, int] = field(metadata=FOR_PEOPLE)
    space: dict[str, Any]
    tree: tuple[TreeLine, ...] = field(metadata=FOR_PEOPLE)
    warnings: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    plan: Any = field(metadata=FOR_PEOPLE)
    plan_title: str = field(metadata=FOR_PEOPLE)
    around: tuple[Place, ...] = field(metadata=FOR_PEOPLE)
    beside: tuple[Place, ...] = field(metadata=FOR_PEOPLE)
    alongs: tuple[Place, ...] = field(metadata=FOR_PEOPLE)
    left_out: tuple[str, ...] = field(metadata=FOR_PEOPLE)
    volumes: str = field(metadata=FOR_PEOPLE)
    spans: tuple[tuple[Span, str], ...] = field(metadata=FOR_PEOPLE)
    ticks: tuple[tuple[str, float], ...] = field(metadata=FOR_PEOPLE)
    links: tuple[LinkLine, ...] = field(metadata=FOR_PEOPLE)
    choices: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)
    frame: str
    at: str
    plane: str
    crops: tuple[Crop, ...]


FrameName = Annotated[str, Query(max_length=300)]
Pixels = Annotated[str, Query(max_length=60)]


def content(
    request_context: CurrentRequest,
    id: str,
    view: FrameName = "",
    along: Annotated[Literal["z", "y", "x"], Query(description="Axis that the map looks along")] = "z",
    frame: FrameName = "",
    at: Annotated[str, Query(max_length=120, description="A point of `frame`: 1.2, 0.9, 2.0 mm")] = "",
    plane: Annotated[Literal["z", "y", "x"], Query(description="Which slices of volumes are shown")] = "z",
    whole: FrameName = "",
    click_x: Annotated[int, Query(alias="click.x", ge=0, le=10_000)] = 0,
    click_y: Annotated[int, Query(alias="click.y", ge=0, le=10_000)] = 0,
    box: Pixels = "",
    shown: Pixels = "",
    slice: Pixels = "",
) -> SpecimenImagesPage:
    """Show where the images of a specimen lie in each other, and a point in all of them.

    `view` is the image that fills the map; `whole` the one that is shown whole. `click.x` and `click.y`, with `box`,
    `shown` and `slice`, are a place in a picture of `frame`, in place of `at`.
    """
    reader = request_context.reader
    with request_context.catalogue.reading() as connection:
        held_entity = entity_of(connection, reader, id)
        if held_entity is None or held_entity.entity.kind != "specimen":
            raise HTTPException(404, f"There is no specimen “{id[:80]}” in this catalogue.")
        space = space_of(connection, reader, id)
    drawn = map_of(space.images, space.links, view, along) if space.images else None
    numbers = {span.image.frame: span.number for span in drawn.spans} if drawn else {}
    source = space.image(frame) if frame else (drawn.view if drawn else None)
    if frame and source is None:
        raise HTTPException(404, f"There is no image “{frame[:120]}” of this specimen.")
    point = None
    if source is not None:
        clicked = Click(click_x, click_y, box, shown, plane, slice) if box and (click_x or click_y) else None
        point = _point(source, at, clicked)
        at = point_in_words(source, point)
    query = {"view": view, "along": "" if along == "z" else along, "frame": frame, "at": at if frame else ""}

    def zoom(name: str, along: str = along) -> str:
        arguments = {**query, "view": name, "along": "" if along == "z" else along}
        return request_context.link("specimen_images", {"id": id}, arguments) + "#map"

    def shown_whole(name: str) -> str:
        arguments = {
            "frame": source.frame if source else "",
            "plane": "" if plane == "z" else plane,
            "whole": name,
        }
        return (
            request_context.link("specimen_images", {"id": id}, {**query, **arguments, "at": at}) + "#point"
        )

    crops: tuple[Crop, ...] = ()
    if source is not None and point is not None:
        crops = _crops(request_context, space, source, point, plane, whole or source.frame, shown_whole)
    return SpecimenImagesPage(
        title=held_entity.entity.name,
        id=id,
        above=request_context.link("specimen", {"id": id}),
        counts=(len(space.images), len(space.links)),
        space=space_json(space),
        tree=_tree(request_context, space, numbers, zoom),
        warnings=tuple(warnings_of(space)),
        plan=plan_svg(drawn, zoom) if drawn else "",
        plan_title=drawn.view.title if drawn else "",
        around=_places(drawn, "around", zoom),
        beside=_places(drawn, "beside", zoom),
        alongs=tuple(Place(axis, "" if axis == along else zoom(view, axis)) for axis in DRAWN),
        left_out=drawn.left_out if drawn else (),
        volumes=_volumes(request_context, id, space),
        spans=tuple((span, size_in_words(span)) for span in drawn.spans) if drawn else (),
        ticks=drawn.ticks if drawn else (),
        links=tuple(link_line(link, space.frames) for link in space.links),
        choices=tuple((image.frame, image.title) for image in space.images),
        frame=source.frame if source else "",
        at=at,
        plane=plane,
        crops=crops,
    )


def _volumes(request_context: RequestContext, id: str, space: Space) -> str:
    """Return the address at which all volumes are shown where they lie in each other."""
    solid = sorted(
        (image for image in space.images if not image.flat), key=lambda image: -float(image.size_m.max())
    )
    with request_context.catalogue.reading() as connection:
        opened = [
            image_frame
            for image_frame in solid
            if (place := place_of(connection, request_context.reader, read_frame(image_frame.frame).id))
            and place.open
        ]
    if not opened:
        return ""
    together = next(group for group in groups(space.links, [opened[0].frame]) if opened[0].frame in group)
    overlaid = [
        read_frame(image_frame.frame).id for image_frame in opened[1:] if image_frame.frame in together
    ][:MOST_WITH]
    if not overlaid:
        return ""
    query = {"with": ",".join(overlaid), "specimen": id}
    return request_context.link("volume", {"id": read_frame(opened[0].frame).id}, query)


def _point(source: ImageFrame, at: str, clicked: Click | None) -> Any:
    if clicked is not None:
        return clicked.point_in(source)
    if not at.strip():
        pixel = np.round([(n - 1) / 2 for n in source.shape[: source.count]])
        return source.point_of(pixel)
    return read_point(at, source, pixel=at.rstrip().endswith(("px", "pixel", "pixels")))


def _crops(
    request_context: RequestContext, space: Space, source: ImageFrame, point: Any, plane: str, whole_frame: str,
    shown_whole: Callable[[str], str],
) -> tuple[Crop, ...]:  # fmt: skip
    ordered = [source, *(image for image in space.images if image.frame != source.frame)][:MOST_CROPS]
    places = where(space.links, ordered, source.frame, point)
    titles = space.frames

    def shown(place: Found | Unknown) -> Crop:
        is_whole = place.image.frame == whole_frame
        return crop_of(
            request_context,
            place,
            titles,
            plane,
            is_whole,
            shown_whole("-" if is_whole else place.image.frame),
        )

    return tuple(shown(place) for place in places)


def _tree(
    request_context: RequestContext, space: Space, numbers: dict[str, int], zoom: Callable[[str], str]
) -> tuple[TreeLine, ...]:
    def page(frame: str) -> str:
        return request_context.link("record", {"id": read_frame(frame).id})

    return tuple(
        TreeLine(
            node.name,
            node.how,
            request_context.link("specimen", {"id": node.id}) if node.id else "",
            node.depth,
            tuple(
                ImageLine(
                    numbers[image.frame],
                    image.title,
                    image_words(image),
                    page(image.frame),
                    zoom(image.frame),
                )
                for image in node.images
            ),
            tuple(
                (unplaced.title, page(f"records/{unplaced.id}"), unplaced.reason)
                for unplaced in node.unplaced
            ),
        )
        for node in tree_of(space)
    )


def _places(drawn: Map | None, place: str, zoom: Callable[[str], str]) -> tuple[Place, ...]:
    boxes = drawn.boxes if drawn else ()
    return tuple(
        Place(f"{box.number} {box.image.title}", zoom(box.image.frame)) for box in boxes if box.place == place
    )


def link_line(link: Link, titles: dict[str, str]) -> LinkLine:
    """Tell a link for people."""
    spread = sigma(np.asarray(link.covariance))
    shift, turn = max(spread[3:]), np.rad2deg(max(spread[:3]))
    ends = [titles.get(text, text) for text in (link.from_frame, link.to_frame)]
    return LinkLine(
        f"{link.id}, version {link.version}",
        f"{ends[0]} in {ends[1]}",
        ("found mirrored; " if link.mirrored else "") + LINK_KINDS[link.kind],
        f"σ {in_words(shift)}, {turn:.2g}°",
        ", ".join(filter(None, (link.author, link.date, link.method))),
    )


SPECIMEN_IMAGES = Page(
    name="specimen_images",
    path="/specimens/{id}/images",
    json_path="/specimens/{id}/images.json",
    template="specimen_images.html",
    content=content,
)
