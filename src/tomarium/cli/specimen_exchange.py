"""`tomarium specimen export` and `import-landmarks`: a specimen for other programs, and landmarks back from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE
from tomarium.cli.link_rows import link_rows

if TYPE_CHECKING:
    from tomarium.catalogue.specimen_export import Gathered

FORMS = ("bigwarp", "mobie", "neuroglancer", "ome-zarr", "crate")


@click.command("export")
@click.argument("specimen")
@click.option(
    "--as", "form", type=click.Choice(FORMS), required=True, help="For which program, or in what form."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PLACE",
    help="A new folder or file.",
)
@click.option(
    "--in",
    "frame",
    default="",
    metavar="IMAGE",
    help="Image or specimen in whose frame all volumes are to lie; SPECIMEN's own, or the largest image's, by default.",
)
@click.option("--address", default="", metavar="URL", help="Of the portal that shows the records.")
@click.option("--unit", default="um", show_default=True, help="bigwarp: unit of the coordinates.")
@click.option("--rfc5", is_flag=True, help="ome-zarr: write 0.6, where RFC-5 has matrices, and not 0.5.")
@click.option("--public", is_flag=True, help="Take only what everybody may see.")
@CATALOGUE
def export(
    specimen: str,
    form: str,
    output: Path,
    frame: str,
    address: str,
    unit: str,
    rfc5: bool,
    public: bool,
    catalogue: Path | None,
) -> None:
    """Write SPECIMEN, its images and the links between them, for another program.

    \b
    bigwarp       a folder with a CSV of landmarks of each link that was made from some (BigWarp, MoBIE)
    mobie         a folder with a MoBIE project: all volumes, where their files lie, moved by their matrices
    neuroglancer  a JSON file, the state of Neuroglancer: a layer for each volume, placed by its matrix
    ome-zarr      a Zarr group with a copy of each volume; OME-Zarr 0.5 has no rotations: see --rfc5
    crate         a folder with an RO-Crate: the tree, the records by identifier, the links with their covariances

    Pictures that are no OME-Zarr volumes, images that no link connects and files under embargo are left out, and named.

    \b
    tomarium specimen export rum-7 --as bigwarp -o landmarks/
    tomarium specimen export rum-7 --as neuroglancer --address https://tomo.example.org -o rum-7.json
    tomarium specimen export rum-7 --as ome-zarr --in ct-1a2b3c4d --rfc5 -o rum-7.zarr
    tomarium specimen export rum-7 --as crate --public -o rum-7-crate/
    """
    from datetime import UTC, datetime

    from tomarium.catalogue import specimen_export
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import ANYBODY, LOCAL_OWNER

    for name, is_given, of in (("--rfc5", rfc5, "ome-zarr"), ("--unit", unit != "um", "bigwarp")):
        if is_given and form != of:
            raise click.UsageError(f"{name} belongs to --as {of}; leave it out with --as {form}")
    if address and form not in ("neuroglancer", "crate"):
        raise click.UsageError(f"--address belongs to --as neuroglancer and crate; --as {form} names files")
    address = address.rstrip("/")
    reader = ANYBODY if public else LOCAL_OWNER
    with open_catalogue(catalogue, make=False) as opened, opened.reading() as connection:
        gathered = specimen_export.gather(connection, reader, specimen, frame)
    left_out = list(gathered.left_out)
    if form == "bigwarp":
        lines, left_out = specimen_export.export_bigwarp(gathered, output, unit), []
    elif form == "mobie":
        lines = specimen_export.export_mobie(gathered, output)
    elif form == "neuroglancer":
        lines = _write_state(gathered, output, address)
    elif form == "ome-zarr":
        lines = specimen_export.export_ome_zarr(gathered, output, with_matrices=rfc5)
    else:
        lines, left_out = specimen_export.export_crate(gathered, output, datetime.now(UTC), address), []
    for line in lines:
        click.echo(line)
    show.warnings(left_out)


def _write_state(gathered: Gathered, output: Path, address: str) -> list[str]:
    from tomarium.atomic_files import write_json
    from tomarium.errors import InputError
    from tomarium.portal.specimen_state import specimen_state

    if output.exists():
        raise InputError(f"{output}: exists already; give another name")
    state, notes = specimen_state(gathered, address=address)
    write_json(output, state)
    return [f"{output}: a state of Neuroglancer with {len(state['layers'])} layers", *notes]


@click.command("import-landmarks")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--from", "from_image", metavar="IMAGE", required=True, help="The moving image of the landmarks."
)
@click.option("--to", "to_image", metavar="IMAGE", required=True, help="The fixed image.")
@click.option(
    "--unit",
    required=True,
    metavar="UNIT",
    help="Of the coordinates, such as um; px for column, row and slice from 0. The file does not tell it.",
)
@click.option("--scale", is_flag=True, help="A pixel size may be wrong: find the factor too.")
@click.option("--no-mirror", is_flag=True, help="Neither image is a mirror image.")
@click.option("--sigma", metavar="LENGTH", help="How well two flat images are known to lie in one plane.")
@click.option("--sigma-turn", metavar="ANGLE", help="How well they are known not to be tilted out of it.")
@click.option("--author", default="", help="By whom; your account by default.")
@click.option("--evidence", default="", help="Where that can be looked at.")
@click.option("--replaces", default="", metavar="LINK", help="File it as the next version of LINK.")
@click.option("--beside", is_flag=True, help="File it beside a link of the same two, as another measurement.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@CATALOGUE
def import_landmarks(
    file: Path,
    from_image: str,
    to_image: str,
    unit: str,
    scale: bool,
    no_mirror: bool,
    sigma: str | None,
    sigma_turn: str | None,
    author: str,
    evidence: str,
    replaces: str,
    beside: bool,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """File a link from FILE, a CSV of landmarks as BigWarp writes it: where the moving image lies in the fixed one.

    A rotation and a shift are fitted by least squares to four landmarks or more; the residuals, and each landmark
    predicted by the others, tell the error. The landmarks stay with the link, and `tomarium specimen export --as
    bigwarp` gives them back. A landmark that is not active, or is set in one image only, is passed over.

    \b
    tomarium specimen import-landmarks landmarks.csv --from eds-9c0d --to ct-1a2b3c4d --unit um
    tomarium specimen import-landmarks landmarks.csv --from eds-9c0d --to sem-7e8f --unit px --sigma "20 um" \\
      --sigma-turn "1 deg"
    """
    from dataclasses import replace

    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.link_edit import file_link
    from tomarium.catalogue.link_request import fitted, link_of_pairs, read_known, read_landmark_file
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.specimen_space import find_image
    from tomarium.specimen.link_file import link_json

    how_known = read_known({"sigma": sigma or "", "sigma_turn": sigma_turn or ""})
    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            start, end = (find_image(connection, LOCAL_OWNER, text) for text in (from_image, to_image))
        pairs = read_landmark_file(file, unit, start, end)
        link = link_of_pairs(pairs, start.frame, end.frame, how_known, mirror=not no_mirror, scale=scale)
        alignment = fitted(pairs, mirror=not no_mirror, scale=scale)
        filed = file_link(
            opened,
            LOCAL_OWNER,
            replace(link, author=author, evidence=evidence),
            replaces=replaces,
            beside=beside,
        )
    if as_json:
        show.as_json(link_json(filed))
        return
    click.secho(f"{filed.id}, version {filed.version}", bold=True)
    show.table(
        [
            *link_rows(filed),
            (
                "left out in turn",
                f"{units.show(alignment.figures['left_out_m'], 'm', 3)}, predicted by the others",
            ),
        ]
    )
    show.warnings(alignment.notes)
