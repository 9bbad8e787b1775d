"""`tomarium specimen`: the images of one specimen in space, and the links between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE, FACTS, made_from, parents, read_facts
from tomarium.cli.link_rows import link_rows
from tomarium.cli.specimen_claims import check_claims, claim
from tomarium.cli.specimen_exchange import export, import_landmarks
from tomarium.cli.specimen_tracking import label, move, where_
from tomarium.errors import InputError
from tomarium.model.link import LINK_KINDS

if TYPE_CHECKING:
    from tomarium.catalogue.specimen_space import Space
    from tomarium.model import Link

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it for machines.")


@click.group("specimen")
def command() -> None:
    """Connect the images of one specimen: which there are, where each lies in the others, and how well that is known.

    Each specimen and each image has a frame: metres, x to the right of a slice, y down its rows, z along the slices. A
    link says where one frame lies in another, with its uncertainty; `tomarium where` follows links. IMAGE is the
    identifier of a record, or records/ID/image-2 for a further image of it.

    \b
    tomarium specimen new "Block of Rum chromitite" --id rum-7
    tomarium specimen new "Core of 5 mm" --id rum-7-core --aliquot rum-7
    tomarium specimen add rum-7-core ct-1a2b3c4d
    tomarium align ct-of-core/ ct-of-block/ --out link.json
    tomarium specimen link link.json --from ct-1a2b3c4d --to ct-5e6f7a8b
    tomarium specimen link eds-9c0d --in ct-1a2b3c4d --shift "1.2, 0.8, 2.0 mm" --sigma "20 um" --sigma-turn "1 deg"
    tomarium specimen tree rum-7
    tomarium where "1.2, 0.9, 2.0 mm" --from ct-1a2b3c4d
    tomarium specimen export rum-7 --as neuroglancer -o rum-7.json
    tomarium specimen label rum-7 rum-7-core -o labels.pdf
    tomarium specimen move rum-7-core --to "lab 3 / shelf B"
    tomarium specimen claim rum-7 https://tomo.example.org/specimens/rum-block --evidence "halves of one core"
    """


command.add_command(check_claims)
command.add_command(claim)
command.add_command(export)
command.add_command(import_landmarks)
command.add_command(label)
command.add_command(move)
command.add_command(where_)


@command.command("new")
@click.argument("name")
@click.option("--id", default="", help="Its identifier; one is made from the name by default.")
@FACTS
@made_from
@CATALOGUE
def new(name: str, id: str, facts: tuple[str, ...], catalogue: Path | None, **options: str | None) -> None:
    """Make a specimen called NAME, and say what it was made from; the same as `tomarium entity new specimen`."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.entity_edit import link_specimen, make_entity
    from tomarium.catalogue.reader import LOCAL_OWNER

    links = parents(options)
    with open_catalogue(catalogue) as opened:
        with opened.reading() as connection:
            for parent in links.values():
                demand_entity(connection, LOCAL_OWNER, parent)
        entity = make_entity(opened, LOCAL_OWNER, "specimen", name, read_facts(facts), id)
        for how, parent in links.items():
            link_specimen(opened, LOCAL_OWNER, entity.id, parent, how)
    click.echo(f"{entity.id}: {entity.name}")


@command.command("add")
@click.argument("specimen")
@click.argument("records", metavar="RECORD...", nargs=-1, required=True)
@CATALOGUE
def add(specimen: str, records: tuple[str, ...], catalogue: Path | None) -> None:
    """Say that each RECORD, an identifier or a folder, is of SPECIMEN; the same as `tomarium edit --specimen`."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.edit import Changes, edit
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import space_of

    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            space_of(connection, LOCAL_OWNER, specimen)
        for id in [show.record_id(opened, record) for record in records]:
            edit(opened, LOCAL_OWNER, id, Changes(specimen=specimen))
        _print_tree(opened, specimen)


@command.command("link")
@click.argument("source", metavar="FILE|IMAGE")
@click.option(
    "--from", "from_image", metavar="IMAGE", help="Which image a FILE leads from, where it does not say so."
)
@click.option("--to", "to_image", metavar="IMAGE", help="Which image or specimen a FILE leads to.")
@click.option(
    "--in", "inside", metavar="IMAGE", help="Without a FILE: the image or specimen in which IMAGE lies."
)
@click.option("--shift", metavar='"X, Y, Z UNIT"', help="Where the point (0, 0, 0) of IMAGE lies there.")
@click.option(
    "--turn",
    metavar='"X, Y, Z deg"',
    help="By how much IMAGE is turned, about the fixed axes x, then y, then z.",
)
@click.option(
    "--sigma",
    metavar="LENGTH",
    help='Standard deviation of the shift: "20 um"; with a FILE, of what two flat images leave open.',
)
@click.option(
    "--sigma-turn", metavar="ANGLE", help='Standard deviation of the turn about each axis: "1 deg".'
)
@click.option(
    "--mirror", type=click.Choice(["x", "y", "z"]), help="IMAGE is a mirror image: its axis is negated first."
)
@click.option(
    "--kind", type=click.Choice(list(LINK_KINDS)), help="How it is known; of what is given by hand, assumed."
)
@click.option("--method", help="How it was found, in a line.")
@click.option("--author", help="By whom; your account by default.")
@click.option("--evidence", help="Where that can be looked at: an address, a record, a page of a notebook.")
@click.option("--replaces", default="", metavar="LINK", help="File it as the next version of LINK.")
@click.option("--beside", is_flag=True, help="File it beside a link of the same two, as another measurement.")
@AS_JSON
@CATALOGUE
def link(
    source: str,
    from_image: str | None,
    to_image: str | None,
    inside: str | None,
    shift: str | None,
    turn: str | None,
    sigma: str | None,
    sigma_turn: str | None,
    mirror: str | None,
    kind: str | None,
    method: str | None,
    author: str | None,
    evidence: str | None,
    replaces: str,
    beside: bool,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """Link two images: with a FILE, as `tomarium align --out` writes it, or by hand where IMAGE lies --in another.

    Both frames are in metres. By hand, the shift says where the point (0, 0, 0) of IMAGE lies, and --sigma how well
    the middle of IMAGE is known there. A link stays when a better one --replaces it, and when it is withdrawn.

    \b
    tomarium specimen link link.json --from ct-1a2b3c4d --to ct-5e6f7a8b
    tomarium specimen link eds-9c0d --in ct-1a2b3c4d --shift "1.2, 0.8, 2.0 mm" --turn "0, 90, 0 deg" \\
      --sigma "20 um" --sigma-turn "1 deg" --kind measured --method "stage of the microscope"
    tomarium specimen link ct-1a2b3c4d --in rum-7 --shift "0, 0, 0 mm" --sigma "0 mm" --kind measured
    """
    from dataclasses import replace

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.link_edit import file_link
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import find_frame
    from tomarium.specimen.link_file import link_json

    by_hand = inside is not None
    if by_hand and (from_image or to_image):
        raise click.UsageError(
            "--from and --to say which images a FILE links; by hand, give IMAGE --in IMAGE"
        )
    if not by_hand and not Path(source).is_file():
        raise click.UsageError(
            f"{source}: is no file; give a link.json, or say where the image lies: --in IMAGE --shift"
        )
    if not by_hand and any(text is not None for text in (shift, turn, mirror)):
        raise click.UsageError("--shift, --turn and --mirror say by hand what a FILE says; leave one out")
    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            if by_hand:
                ends = [find_frame(connection, LOCAL_OWNER, text) for text in (source, str(inside))]
                new_link = _link_by_hand(connection, ends[0], ends[1], shift, turn, sigma, sigma_turn, mirror)
            else:
                new_link = _link_from_file(Path(source), sigma, sigma_turn)
                start, end = (
                    find_frame(connection, LOCAL_OWNER, text) if text else ""
                    for text in (from_image, to_image)
                )
                new_link = replace(
                    new_link, from_frame=start or new_link.from_frame, to_frame=end or new_link.to_frame
                )
        new_link = replace(
            new_link,
            kind=kind or new_link.kind,
            method=method or new_link.method,
            author=author or new_link.author,
            evidence=evidence or new_link.evidence,
        )
        filed = file_link(opened, LOCAL_OWNER, new_link, replaces=replaces, beside=beside)
    if as_json:
        show.as_json(link_json(filed))
        return
    click.secho(f"{filed.id}, version {filed.version}", bold=True)
    show.table(link_rows(filed))


def _link_from_file(path: Path, sigma: str | None, sigma_turn: str | None) -> Link:
    import math

    from tomarium.specimen.alignment_file import as_link_json, is_alignment
    from tomarium.specimen.link_file import link_of, read_json

    content = read_json(path)
    if is_alignment(content):
        shift_m = None if sigma is None else units.parse(sigma, "m")
        turn_rad = None if sigma_turn is None else math.radians(units.parse(sigma_turn, "deg"))
        return link_of(as_link_json(content, str(path), shift_m, turn_rad), str(path))
    if sigma is not None or sigma_turn is not None:
        raise click.UsageError(
            f"{path}: says itself how well it is known; leave --sigma and --sigma-turn out"
        )
    return link_of(content, str(path))


def _link_by_hand(
    connection: Any, from_frame: str, to_frame: str, shift: str | None, turn: str | None,
    sigma: str | None, sigma_turn: str | None, mirror: str | None,
) -> Link:  # fmt: skip
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import space_around
    from tomarium.specimen.by_hand import link_by_hand

    if shift is None or sigma is None:
        raise click.UsageError(
            'say where it lies and how well that is known: --shift "1.2, 0.8, 2 mm" --sigma "20 um"'
        )
    image = space_around(connection, LOCAL_OWNER, [from_frame]).image(from_frame)
    middle = (0.0, 0.0, 0.0) if image is None else image.middle_m
    return link_by_hand(from_frame, to_frame, shift, turn, sigma, sigma_turn, mirror, middle)


@command.command("links")
@click.argument("id", metavar="LINK")
@AS_JSON
@CATALOGUE
def links(id: str, as_json: bool, catalogue: Path | None) -> None:
    """Show all versions of LINK, the latest first; one that was withdrawn is told with the reason."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.links import demand_link, versions_of
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.specimen.link_file import link_json

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        demand_link(connection, LOCAL_OWNER, id)
        versions = versions_of(connection, LOCAL_OWNER, id)
    if as_json:
        show.as_json([link_json(version) for version in versions])
        return
    for version in versions:
        click.secho(f"{version.id}, version {version.version}", bold=True)
        show.table(link_rows(version))


@command.command("withdraw")
@click.argument("id", metavar="LINK")
@click.option("--because", "reason", required=True, help="Why, in one line; it stays with the link.")
@CATALOGUE
def withdraw(id: str, reason: str, catalogue: Path | None) -> None:
    """Withdraw LINK: it stays to be looked at, and no position rests on it any more."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.link_edit import withdraw_link
    from tomarium.catalogue.reader import LOCAL_OWNER

    with open_catalogue(catalogue, make=False) as opened:
        withdrawn = withdraw_link(opened, LOCAL_OWNER, id, reason)
    click.echo(f"{withdrawn.id}, version {withdrawn.version}, is withdrawn: {withdrawn.withdrawn}")


@command.command("tree")
@click.argument("specimen")
@AS_JSON
@CATALOGUE
def tree(specimen: str, as_json: bool, catalogue: Path | None) -> None:
    """Show what SPECIMEN was made from and what was made from it, with their images, and the links between these.

    Told too are images that no link connects with the others, and loops of links that contradict each other.
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import space_of
    from tomarium.catalogue.specimen_tree import space_json

    with open_catalogue(catalogue, make=False) as opened:
        if as_json:
            with opened.reading() as connection:
                show.as_json(space_json(space_of(connection, LOCAL_OWNER, specimen)))
            return
        _print_tree(opened, specimen)


def _print_tree(opened: Any, specimen: str) -> None:
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import space_of
    from tomarium.catalogue.specimen_tree import image_words, tree_of, warnings_of

    with opened.reading() as connection:
        space: Space = space_of(connection, LOCAL_OWNER, specimen)
    for node in tree_of(space):
        indent = "  " * node.depth
        words = f", {node.how}" if node.how else ""
        click.secho(f"{indent}{node.id}: {node.name}{words}", bold=node.id == specimen)
        for image in node.images:
            click.echo(f"{indent}    {image.frame}: {show.short(image.title)}, {image_words(image)}")
        for unplaced in node.unplaced:
            click.echo(f"{indent}    records/{unplaced.id}: {show.short(unplaced.title)}, {unplaced.reason}")
    if space.links:
        click.echo("links")
        show.table(
            [
                (f"{link.id} v{link.version}", f"{link.from_frame} in {link.to_frame}", link.kind)
                for link in space.links
            ]
        )
    show.warnings(warnings_of(space))


@command.command("map")
@click.argument("specimen")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="SVG", help="File to write."
)
@click.option("--view", metavar="IMAGE", help="The image that fills the picture; the largest by default.")
@click.option(
    "--along",
    type=click.Choice(["x", "y", "z"]),
    default="z",
    show_default=True,
    help="Axis that is looked along.",
)
@CATALOGUE
def map_(specimen: str, output: Path, view: str | None, along: str, catalogue: Path | None) -> None:
    """Draw all images of SPECIMEN to scale where they lie in each other, and their sizes from mm to nm on one axis."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import find_frame, space_of
    from tomarium.viewers.specimen_map import map_of, map_svg

    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        space = space_of(connection, LOCAL_OWNER, specimen)
        frame = find_frame(connection, LOCAL_OWNER, view) if view else ""
    if not space.images:
        raise InputError(
            f"{specimen}: has no image whose pixels have a size; say which records are of it: tomarium specimen add"
        )
    specimen_map = map_of(space.images, space.links, frame, along)
    output.write_text(map_svg(specimen_map), encoding="utf-8")
    click.echo(f"{output}: {len(specimen_map.boxes)} of {len(space.images)} images, seen along {along}")
    show.warnings(specimen_map.left_out)
