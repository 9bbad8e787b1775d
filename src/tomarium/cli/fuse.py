"""`tomarium fuse`: phases of flat maps, told of every voxel of a volume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE
from tomarium.errors import InputError, ParameterError


@click.command("fuse")
@click.argument("volume", metavar="VOLUME")
@click.option(
    "--map", "maps", multiple=True, required=True, metavar="MAP",
    help="A flat map whose pixels are numbers of phases, 0 where nothing is known; once for each map.",
)  # fmt: skip
@click.option(
    "--link", "links", multiple=True, type=click.Path(path_type=Path), metavar="LINK.json",
    help="Where each map lies in VOLUME, as `tomarium align VOLUME MAP --out` wrote it, in the order of the maps; "
    "between records by the links of the catalogue.",
)  # fmt: skip
@click.option(
    "-o",
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT",
    help="Folder of the new record.",
)
@click.option("--name", "names", multiple=True, metavar="N=NAME", help="Name of the phase with the number N.")
@click.option(
    "--pixel", multiple=True, metavar="LENGTH", help="Pixel size of each map, where files do not tell it."
)
@click.option(
    "--entry", multiple=True, metavar="NAME", help="Which image of each map, of files that hold several."
)
@click.option(
    "--pixel-volume", metavar="LENGTH", help="Voxel size of VOLUME, where its file does not tell it."
)
@click.option("--title", default="", help="Title of the record.")
@click.option(
    "--specimen", metavar="ID", help="File the record in the catalogue, as one of this specimen, once it is made; and "
    "the link to VOLUME, where that is a record there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report for machines.")
@CATALOGUE
def command(
    volume: str,
    maps: tuple[str, ...],
    links: tuple[Path, ...],
    folder: Path,
    names: tuple[str, ...],
    pixel: tuple[str, ...],
    entry: tuple[str, ...],
    pixel_volume: str | None,
    title: str,
    specimen: str | None,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """Carry the phases of maps, as EDS or EBSD make them, into VOLUME: a label for every voxel, and how sure it is.

    Each pixel of a map is put into the volume by its link. A forest of decision trees learns the phases from the grey
    values around these voxels, at several scales; pixels that lie nearer to a boundary than their position is known
    count less. Parts of the maps are held out in turn, which tells how often a phase is right, makes the confidences
    hold, and finds phases that this volume does not tell apart. A map that the volume shows nothing of is refused.

    VOLUME and MAP are files, folders of records, or identifiers of records; numbers mean the same in all maps. OUT
    becomes a record with the labels, the confidence of each in percent, pictures, and a report: what is sure and what
    is not, how like the maps the volume is, and where least is known. It goes through slab by slab;
    where it was stopped, the same command goes on. With --specimen the record is filed at once, with the link that it
    lies where VOLUME lies, voxel on voxel, so that points of all images are found in it.

    Needs the extra: pip install 'tomarium[analysis]'.

    \b
    tomarium align ct.ome.zarr eds.tif --pixel "4 um" --out link.json
    tomarium fuse ct.ome.zarr --map eds.tif --pixel "4 um" --link link.json -o phases --name 1=olivine --name 2=iron
    tomarium fuse ct-1a2b3c4d --map eds-3c4d --map ebsd-5e6f -o phases --specimen rum-7-core
    """
    from tomarium import formats
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.file_in_specimen import demand_specimen
    from tomarium.catalogue.fused_record import make_fused_record
    from tomarium.catalogue.fusion_sources import find_sources
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.formats.opening.messages import no_volume
    from tomarium.model import Volume

    phase_names = _read_names(names)
    if links and len(links) != len(maps):
        raise click.UsageError(
            f"{len(maps)} maps and {len(links)} links were given; give one --link for each --map, in their order"
        )
    if specimen is not None:
        with open_catalogue(catalogue, make=False) as opened:
            demand_specimen(opened, LOCAL_OWNER, specimen)
    path, sources = find_sources(
        volume,
        maps,
        links,
        catalogue=catalogue,
        pixels=_one_per_map(pixel, len(maps), "--pixel"),
        entries=_one_per_map(entry, len(maps), "--entry"),
    )
    opened_volume = formats.open(path, pixel_m=pixel_volume)
    if not isinstance(opened_volume, Volume):
        raise InputError(no_volume(path, opened_volume))
    _, report = make_fused_record(
        opened_volume, path, sources, folder, names=phase_names, title=title, tell=show.progress()
    )
    filed, link = (None, None) if specimen is None else _file_record(folder, specimen, path, catalogue)
    if as_json:
        filed_content = {} if filed is None else {"record": filed, "specimen": specimen, "link": link}
        show.as_json({"target": str(folder), **filed_content, **report})
        return
    _print_report(report)
    if filed is None:
        show.finished_record(folder)
        return
    click.echo(f"{folder}: finished, and filed as {filed} of the specimen {specimen}")
    click.echo(
        f"  {link}: it lies where {path.name} lies, voxel on voxel"
        if link
        else f"  no link to {path.name} was filed, for it is no record of this catalogue; file it, then: tomarium "
        f'specimen link {filed} --in VOLUME --shift "0, 0, 0 m" --sigma "0 m" --kind cut-from'
    )


def _file_record(folder: Path, specimen: str, volume: Path, catalogue: Path | None) -> tuple[str, str | None]:
    """File the record and where it lies; return its identifier, and that of the link where there is one."""
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.file_in_specimen import file_in_specimen, link_same_voxels
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.record_folder import read_record
    from tomarium.standards.ro_crate import FILENAME

    with open_catalogue(catalogue, make=False) as opened:
        filed = file_in_specimen(opened, LOCAL_OWNER, folder, specimen)
        if not (volume / FILENAME).is_file():
            return filed.id, None
        link = link_same_voxels(opened, LOCAL_OWNER, filed.id, read_record(volume).id)
    return filed.id, None if link is None else link.id


def _print_report(report: Mapping[str, Any]) -> None:
    click.secho(f"{len(report['phases'])} phases", bold=True)
    show.table([
        (
            f"{phase['number']} {phase['name']}",
            f"{100 * phase['volume_share']:.2f} % of the volume",
            f"held out: {100 * (phase['found'] or 0):.1f} % found, {100 * (phase['right'] or 0):.1f} % right",
        )
        for phase in report["phases"]
    ])  # fmt: skip
    for sentence in report["sentences"]:
        if sentence["sure"]:
            click.echo(f"  {sentence['text']}")
    show.warnings([sentence["text"] for sentence in report["sentences"] if not sentence["sure"]])


def _read_names(texts: tuple[str, ...]) -> dict[int, str]:
    phase_names = {}
    for text in texts:
        number, _, name = text.partition("=")
        if not (number.strip().isdigit() and name.strip()):
            raise ParameterError(f"--name {text!r}: write the number of a phase and its name, such as 2=iron")
        phase_names[int(number)] = " ".join(name.split())
    return phase_names


def _one_per_map(values: tuple[str, ...], count: int, flag: str) -> list[str | None]:
    """Return what was given for each map: one for all, one for each, or nothing."""
    if len(values) in (0, 1):
        return [values[0] if values else None] * count
    if len(values) != count:
        raise click.UsageError(
            f"{count} maps and {len(values)} {flag} were given; give one for all, or one for each"
        )
    return list(values)
