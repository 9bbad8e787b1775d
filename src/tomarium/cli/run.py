"""`tomarium run`: the whole volume as a record folder."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import scan_options, show


@click.command("run")
@click.argument("path", metavar="SCAN", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to make; SCAN's name and '_record' by default.",
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@click.option("--executor", default="threads", show_default=True, help="How slabs are shared out.")
@click.option("--title", help="Title of the record.")
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Repeat the run this record was made by: the same voxels.",
)
@scan_options.places
@scan_options.geometry
@scan_options.steps
def command(
    path: Path | None,
    output: Path | None,
    memory: str | None,
    rows: str | None,
    executor: str,
    title: str | None,
    again: Path | None,
    axis: float | None,
    pixel: str | None,
    energy: str | None,
    distance: str | None,
    places: scan_options.Places,
    protocol_path: Path | None,
    assignments: tuple[str, ...],
) -> None:
    """Reconstruct SCAN and write a record: volume, protocol, provenance, previews, checksums.

    A run that was stopped resumes when the same command is given again.

    \b
    tomarium run scan.h5
    tomarium run scan.h5 -p protocol.yaml -o records/tooth --memory 4GB --rows 100:200
    tomarium run --again records/tooth -o records/tooth_again
    """
    from tomarium.catalogue.make_record import make_record, repeat_record

    told = show.progress()
    if again is not None:
        outcome = repeat_record(
            again, path, output, memory=memory, executor=executor, title=title, on_progress=told
        )
    elif path is None:
        raise click.UsageError("give a SCAN, or --again RECORD")
    else:
        scan = scan_options.open_scan(
            path, axis=axis, pixel=pixel, energy=energy, distance=distance, places=places
        )
        outcome = make_record(
            scan,
            scan_options.choose_protocol(protocol_path, assignments),
            output,
            memory=memory,
            rows=scan_options.parse_rows(rows),
            executor=executor,
            title=title,
            on_progress=told,
        )
    show.warnings(outcome.provenance["warnings"])
    click.echo(f"{outcome.folder}: finished; file it with: tomarium ingest {outcome.folder}")
