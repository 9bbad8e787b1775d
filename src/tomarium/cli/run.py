"""`tomarium run`: the whole volume as a record folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.model import Scan
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.pipeline.protocol.protocol import Protocol


@click.command("run")
@click.argument("path", metavar="SCAN", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FOLDER | volume:FORMAT[,TYPE[,LOW:HIGH]]",
    help="Folder to make; SCAN's name and '_record' by default. Given again as volume:FORMAT, the volume is written "
    "once more into it: tiff, hdf5, vol, mrc, zarr, jpeg2000 or raw; as float32, uint16 or uint8, the values LOW:HIGH "
    "as least and greatest number, by default the limits of `tomarium convert --dtype`.",
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@click.option(
    "--crop",
    metavar="auto | Z,Y,X",
    help="Only the box of the object, found by a quick reconstruction; or a box of so many voxels about the middle.",
)
@click.option(
    "--executor",
    default="threads",
    show_default=True,
    help="How slabs are shared out: threads; serial; dask, in processes; dask:tcp://HOST:PORT, on a cluster.",
)
@click.option("--title", help="Title of the record.")
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Repeat the run this record was made by: the same voxels.",
)
@click.option("--force", is_flag=True, help="Go on where the frames cannot give a right volume.")
@scan_options.opening
@scan_options.steps
def command(
    path: Path | None,
    outputs: tuple[str, ...],
    memory: str | None,
    rows: str | None,
    crop: str | None,
    executor: str,
    title: str | None,
    again: Path | None,
    force: bool,
    opening: scan_options.Opening,
    choice: Choice,
) -> int:
    """Reconstruct SCAN and write a record: volume, protocol, provenance, previews, checksums.

    A run that was stopped resumes when the same command is given again.

    \b
    tomarium run scan.h5
    tomarium run scan.h5 --step paganin --step remove_stripes --set paganin.delta_beta=300
    tomarium run scan.h5 --preset rings --bin 2 --output volume:tiff,uint16
    tomarium run scan.h5 --crop auto
    tomarium run scan.h5 -p protocol.txt
    tomarium run scan.h5 -p protocol.yaml -o records/tooth --memory 4GB --rows 100:200
    tomarium run --again records/tooth -o records/tooth_again
    """
    from tomarium.catalogue.export import parse_export
    from tomarium.catalogue.make_record import make_record, repeat_record

    exports = tuple(
        parse_export(text)
        for text in (*outputs, choice.told("volume"))
        if text is not None and text.startswith("volume:")
    )
    folders = [Path(text) for text in outputs if not text.startswith("volume:")]
    if len(folders) > 1:
        raise click.UsageError(
            f"one folder is made, but {len(folders)} were given: {', '.join(map(str, folders))}"
        )
    output = folders[0] if folders else None

    told = show.progress()
    if again is not None:
        if crop is not None:
            raise click.UsageError("--again makes the part that the record holds; leave out --crop")
        if opening.given:
            raise click.UsageError(
                f"--again takes what the record's run was given; leave out {', '.join(opening.given)}"
            )
        outcome = repeat_record(
            again,
            path,
            output,
            memory=memory,
            executor=executor,
            title=title,
            exports=exports,
            on_progress=told,
        )
    elif path is None:
        raise click.UsageError("give a SCAN, or --again RECORD")
    else:
        choice.demand_none_of("like")
        scan = opening.open_scan(path)
        protocol, wanted = _part(scan, choice, rows, crop)
        outcome = make_record(
            scan,
            protocol,
            output,
            memory=memory or choice.told("memory"),
            rows=wanted,
            executor=executor,
            title=title,
            exports=exports,
            force=force,
            on_progress=told,
        )
    show.warnings(outcome.provenance["warnings"])
    click.echo(f"{outcome.folder}: finished; file it with: tomarium ingest {outcome.folder}")
    return 1 if outcome.provenance["warnings"] else 0


def _part(scan: Scan, choice: Choice, rows: str | None, crop: str | None) -> tuple[Protocol, slice | None]:
    """Return the protocol and the rows, of the part of the volume that is asked for."""
    protocol = choice.protocol(scan.domain)
    crop = crop or choice.told("crop")
    if crop is None:
        return protocol, scan_options.parse_rows(rows) or choice.rows()
    if rows is not None or choice.region is not None:
        raise click.UsageError("--crop chooses the part of the volume; leave out --rows and --roi")
    from tomarium.pipeline.protocol.protocol import with_parameter
    from tomarium.pipeline.run.crop import centred_crop, find_crop, parse_sizes

    if crop == "auto":
        found = find_crop(scan, protocol, on_progress=show.progress())
    else:
        found = centred_crop(scan, protocol, parse_sizes(crop))
    show.warnings(found.warnings)
    click.echo(f"crop: {found.told}")
    return with_parameter(protocol, f"fbp.region={found.region}"), found.rows
