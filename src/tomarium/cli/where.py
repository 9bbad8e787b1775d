"""`tomarium where`: where a point of one image lies in the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE

if TYPE_CHECKING:
    from tomarium.specimen.where import Found


@click.command("where")
@click.argument("point", metavar='"X, Y, Z UNIT"')
@click.option(
    "--from", "from_image", metavar="IMAGE",
    help="Image or specimen in whose frame the point is given; the specimen of --in by default.",
)  # fmt: skip
@click.option("--in", "inside", metavar="IMAGE", help="Tell it in this image alone; in all by default.")
@click.option(
    "--as", "given_as", type=click.Choice(["length", "pixel"]), default="length", show_default=True,
    help="Whether x, y, z are lengths, or column, row and slice of --from, counted from 0.",
)  # fmt: skip
@click.option(
    "--sigma", metavar="LENGTH", help='How well the point itself is known: "5 um"; exactly by default.'
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines, with covariances.")
@CATALOGUE
def command(
    point: str,
    from_image: str | None,
    inside: str | None,
    given_as: str,
    sigma: str | None,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """Tell where a point lies in the other images of its specimen: position ± σ, in mm and in pixel, inside or outside.

    The way is that of the links (`tomarium specimen link`) which knows the point best; σ is what all of its links say
    of themselves together. A way over a link that is only assumed is told, and so are loops of links that contradict
    each other. Where no way leads, nothing is told but what is missing. IMAGE is the identifier of a record or of a
    specimen. Exit code 1: in at least one image the point could not be found.

    \b
    tomarium where "1.2, 0.9, 2.0 mm" --from ct-1a2b3c4d
    tomarium where "1.2, 0.9, 2.0 mm" --in lamella-9c0d
    tomarium where "620, 455, 1010" --as pixel --from ct-1a2b3c4d --in eds-5e6f --json
    """
    import numpy as np

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import find_frame, space_around
    from tomarium.specimen.image_frame import read_point
    from tomarium.specimen.where import Unknown, found_json, rounded, where

    if not (from_image or inside):
        raise click.UsageError("say in which image the point is given: --from IMAGE")
    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        target = find_frame(connection, LOCAL_OWNER, inside) if inside else ""
        start = find_frame(connection, LOCAL_OWNER, from_image) if from_image else ""
        space = space_around(connection, LOCAL_OWNER, [text for text in (start, target) if text])
    if not start:
        image = space.image(target)
        start = image.specimen if image else target
        if not start:
            raise click.UsageError(
                f"{inside} is of no specimen; say in which image the point is given: --from IMAGE"
            )
    source = space.image(start)
    at_m = read_point(point, source, pixel=given_as == "pixel")
    spread = None if sigma is None else np.eye(3) * units.parse(sigma, "m") ** 2
    images = [image for image in space.images if image.frame == target or not target]
    if target and not images:
        reason = next(
            (unplaced.reason for unplaced in space.unplaced if f"records/{unplaced.id}" == target),
            "it is no image",
        )
        raise click.UsageError(f"{inside}: a point cannot be told in it: {reason}")
    positions = where(
        space.links, [image for image in images if target or image.frame != start], start, at_m, spread
    )
    if as_json:
        show.as_json(
            {"from": start, "point_m": rounded(at_m), "in": [found_json(position) for position in positions]}
        )
    else:
        click.secho(f"{_lengths(at_m.tolist())} in {start}", bold=True)
        for position in positions:
            click.echo(f"{position.image.frame}: {show.short(position.image.title)}")
            if isinstance(position, Unknown):
                show.warnings([position.reason])
                continue
            show.table(_table_rows(position))
            assumed = [link.id for link in position.resolved.assumed]
            show.warnings([f"rests on {', '.join(assumed)}, which nobody has measured"] if assumed else [])
        loops = {
            loop.words
            for position in positions
            if not isinstance(position, Unknown)
            for loop in position.resolved.contradictions
        }
        show.warnings(sorted(loops))
        if not positions:
            click.echo(
                "  there is no other image; say which records are of the specimen: tomarium specimen add"
            )
    if any(isinstance(position, Unknown) for position in positions):
        click.get_current_context().exit(1)


def _lengths(at_m: Sequence[float]) -> str:
    from tomarium.specimen.where import unit_of

    unit, metre = unit_of(max(abs(value) for value in at_m))
    return (
        f"{', '.join(f'{axis} {value / metre:.9g}' for axis, value in zip('xyz', at_m, strict=True))} {unit}"
    )


def _table_rows(position: Found) -> list[tuple[str, str]]:
    from tomarium.specimen.pose import similarity
    from tomarium.specimen.where import unit_of, with_sigma

    unit, metre = unit_of(float(position.image.size_m.max()))
    places = [
        f"{axis} {with_sigma(value / metre, spread / metre)}"
        for axis, value, spread in zip("xyz", position.position_m.tolist(), position.sigma_m, strict=True)
    ]
    names = ("column", "row", "slice")
    pixels = [
        f"{name} {with_sigma(value, spread)}"
        for name, value, spread in zip(names, position.pixel.tolist(), position.sigma_pixel, strict=False)
    ]
    path = " → ".join(position.resolved.frames)
    scale = similarity(position.resolved.pose.matrix)[0]
    return [
        ("position", f"{', '.join(places)} {unit}"),
        ("pixel", ", ".join(pixels)),
        ("state", position.words),
        ("path", path if position.resolved.path else "the same frame"),
        *([("scale", f"{scale:.6g}")] if abs(scale - 1) > 1e-9 else []),
    ]
