"""The tree of a specimen with its images, in words and in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tomarium import units
from tomarium.catalogue.specimen_space import Space, Unplaced
from tomarium.model.entity import HOWS
from tomarium.specimen.image_frame import ImageFrame
from tomarium.specimen.link_file import link_json
from tomarium.specimen.resolve import contradictions, groups


@dataclass(frozen=True)
class Node:
    """A specimen in the tree.

    Attributes
    ----------
    id, name : str
        Which it is.
    how : str
        "a section of rum-7"; "" of one that nothing else is known to be before.
    depth : int
        How far below the first it stands.
    images : tuple of ImageFrame
        Its own.
    unplaced : tuple of Unplaced
        Its records that have no image to be linked.
    """

    id: str
    name: str
    how: str
    depth: int
    images: tuple[ImageFrame, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()


def tree_of(space: Space) -> list[Node]:
    """Put the specimens of a space in the order of a tree.

    Parameters
    ----------
    space : Space
        As a reader sees it.

    Returns
    -------
    list of Node
        Each specimen once, below the first that it was made from; at the end, where there are any, one without a name
        for images of no specimen.
    """
    specimen_ids = {specimen.id for specimen in space.specimens}
    below: dict[str, list[Any]] = {}
    tops = []
    for specimen in space.specimens:
        above = [origin for origin in specimen.origins if origin.parent in specimen_ids]
        if above:
            below.setdefault(above[0].parent, []).append(specimen)
        else:
            tops.append(specimen)
    nodes: list[Node] = []
    walked: set[str] = set()

    def walk(specimen: Any, depth: int) -> None:
        if specimen.id in walked:
            return
        walked.add(specimen.id)
        how = "; ".join(
            f"{HOWS[origin.how]} {origin.parent}"
            for origin in specimen.origins
            if origin.parent in specimen_ids
        )
        own = tuple(image for image in space.images if image.specimen == f"specimens/{specimen.id}")
        without = tuple(gap for gap in space.unplaced if gap.specimen == specimen.id)
        nodes.append(Node(specimen.id, specimen.name, how, depth, own, without))
        for child in sorted(below.get(specimen.id, ()), key=lambda child: (child.name, child.id)):
            walk(child, depth + 1)

    for top in sorted(tops, key=lambda specimen: (specimen.name, specimen.id)):
        walk(top, 0)
    without_specimen = tuple(image for image in space.images if not image.specimen)
    gaps = tuple(gap for gap in space.unplaced if gap.specimen not in walked)
    if without_specimen or gaps:
        nodes.append(Node("", "of no specimen that is known", "", 0, without_specimen, gaps))
    return nodes


def image_words(image: ImageFrame) -> str:
    """Tell how large an image is and how fine: "4 × 4 × 2 mm, voxel 2 µm"."""
    size = [units.show(float(length), "m", 3) for length in image.size_m[: image.count]]
    step = list(dict.fromkeys(units.show(abs(value), "m", 3) for value in image.step_m[: image.count]))
    return f"{' × '.join(size)}, {'pixel' if image.flat else 'voxel'} {' × '.join(step)}"


def warnings_of(space: Space) -> list[str]:
    """Tell what is wrong or missing between the images: groups that nothing connects, loops that contradict."""
    warnings = [contradiction.words for contradiction in contradictions(space.links)]
    apart = groups(space.links, [image.frame for image in space.images])
    with_images = [group for group in apart if {image.frame for image in space.images} & set(group)]
    if len(with_images) > 1:
        shown = [f"({_named(group)})" for group in with_images[:6]]
        shown += [f"{len(with_images) - 6} more"] if len(with_images) > 6 else []
        warnings.append(
            f"no link connects {', '.join(shown[:-1])} and {shown[-1]}: nobody can tell where a point of one lies in "
            f"another"
        )
    if space.cut_short:
        warnings.append("there are more specimens or records than are listed here")
    return warnings


def _named(group: list[str]) -> str:
    more = f" and {len(group) - 5} more" if len(group) > 5 else ""
    return ", ".join(group[:5]) + more


def space_json(space: Space) -> dict[str, Any]:
    """Tell the images of a specimen, where their pixels lie, and the links, in JSON values; lengths in m."""
    return {
        "specimens": [
            {"id": node.id, "name": node.name, "made": node.how, "depth": node.depth}
            for node in tree_of(space)
            if node.id
        ],
        "images": [image_json(image) for image in space.images],
        "without_image": [
            {"record": unplaced.id, "title": unplaced.title, "reason": unplaced.reason}
            for unplaced in space.unplaced
        ],
        "links": [link_json(link) for link in space.links],
        "warnings": warnings_of(space),
    }


def image_json(image: ImageFrame) -> dict[str, Any]:
    """Tell where the pixels of an image lie: x = first_m[0] + step_m[0] · column, and so on."""
    axes = image.count
    return {
        "frame": image.frame,
        "title": image.title,
        "specimen": image.specimen.partition("/")[2],
        "axes": list("xyz"[:axes]),
        "shape": list(image.shape[:axes]),
        "first_m": list(image.first_m[:axes]),
        "step_m": list(image.step_m[:axes]),
    }
