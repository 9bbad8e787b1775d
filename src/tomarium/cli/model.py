"""`tomarium model`: one HTML file with a model to turn."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE
from tomarium.cli.record_place import folder_of_record
from tomarium.errors import InputError


@click.command("model")
@click.argument("source", metavar="RECORD|MESH")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write, .html; RECORD.html or MESH.html by default.",
)
@click.option(
    "--triangles",
    default="100k",
    show_default=True,
    metavar="COUNT",
    help="Triangles at most: 100k is about a megabyte, which a phone draws smoothly; at most 2M.",
)
@click.option(
    "--language",
    type=click.Choice(["en", "fr", "de"]),
    default="en",
    show_default=True,
    help="Language of the page's own words.",
)
@click.option(
    "--part", default="", help="Which mesh of the record, such as meshes/surface; the first by default."
)
@click.option("--unit", default="1 mm", show_default=True, help="What 1 is in MESH; a GLB is in metres.")
@click.option("--title", default="", help="Name of the specimen, for MESH; the file's name by default.")
@click.option("--licence", default="", help="Licence, for MESH, such as CC-BY-4.0.")
@click.option("--creators", default="", help="Who made it, for MESH.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
def command(
    source: str,
    out: Path | None,
    triangles: str,
    language: str,
    part: str,
    unit: str,
    title: str,
    licence: str,
    creators: str,
    overwrite: bool,
    catalogue: Path | str | None,
) -> None:
    """Write one HTML file with a model of the mesh of RECORD, or of MESH: a file .stl, .ply, .obj or .glb.

    A browser opens it from a disk or a stick, without a network: the model is turned, enlarged and cut by a plane, by
    mouse, fingers or keys, beside a scale bar, title, licence, DOI and citation. The mesh is simplified to --triangles;
    the page states how far that moved its surface. Where a browser has no WebGL 2, it shows pictures from four sides.

    What the page says of the record is as it is now: of a draft, that it is one.

    Needs the extra: pip install 'tomarium[mesh]'. A record gets its mesh by `tomarium mesh`.

    \b
    tomarium model tooth-1a2b3c4d
    tomarium model tooth-1a2b3c4d --language de -o zahn.html
    tomarium model bone.stl --unit "1 um" --title "Femur of a mouse" --licence CC-BY-4.0 --triangles 300k
    """
    from tomarium import units
    from tomarium.atomic_files import write_whole
    from tomarium.catalogue.model_file import mesh_part, page_of_mesh, page_of_record, written
    from tomarium.catalogue.model_request import read_count, read_mm
    from tomarium.catalogue.record_folder import read_record
    from tomarium.formats.meshes.read_mesh import read_mesh
    from tomarium.portal.languages import translations
    from tomarium.standards.licences import address_of, read_licence
    from tomarium.standards.ro_crate import FILENAME
    from tomarium.viewers.model_page import ModelWords

    count, words, progress = read_count(triangles, "--triangles"), translations(language), show.progress()

    def tell(done: int, total: int) -> None:
        progress("triangles", done, total)

    path = Path(source)
    if path.is_file():
        if part:
            raise click.UsageError("--part goes with a record; a file holds one mesh")
        target = _target(out, path.stem, overwrite)
        spdx = read_licence(licence) if licence else ""
        about = ModelWords(
            title or path.stem,
            creators=creators,
            licence=spdx,
            licence_address=address_of(spdx) if spdx else "",
            **written(),
        )
        page = page_of_mesh(read_mesh(path, read_mm(unit, "--unit")), about, count, language, words, tell)
    else:
        if title or licence or creators:
            raise click.UsageError(
                "--title, --licence and --creators go with a mesh file; a record has its own"
            )
        folder = path.resolve() if (path / FILENAME).is_file() else folder_of_record(source, catalogue)
        record = read_record(folder)
        target = _target(out, record.id, overwrite)
        page = page_of_record(record, folder, mesh_part(record, part), count, language, words, tell)
    content = page.encode()
    write_whole(target, content)
    click.echo(
        f"{target}: {units.show(len(content), 'B', digits=3)}; open it in a browser, also without a network"
    )


def _target(out: Path | None, name: str, overwrite: bool) -> Path:
    target = out or Path(f"{name}.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {target}: write a file that ends in .html")
    if target.exists() and not overwrite:
        raise InputError(
            f"{target}: is there already; allow to replace it (--overwrite), or give another name (--out)"
        )
    return target
