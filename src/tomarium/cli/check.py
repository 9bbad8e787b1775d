"""`tomarium check`: bad slabs of a finished volume, and their repair."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.doctor import tell_report
from tomarium.cli.record_place import path_or_record


@click.command("check")
@click.argument("path", metavar="VOLUME | RECORD", type=click.Path(path_type=Path))
@click.option("--repair", is_flag=True, help="Make the bad slabs of a RECORD again, and only these.")
@click.option(
    "--scan",
    type=click.Path(path_type=Path),
    help="With --repair: where the scan of the record lies now; by default where it lay then.",
)
@click.option("--memory", metavar="SIZE", help="With --repair: limit such as 4GB.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.pass_context
def command(
    context: click.Context, path: Path, repair: bool, scan: Path | None, memory: str | None, as_json: bool
) -> None:
    """Look at every slice of a finished VOLUME, or of the volume of a RECORD, and name the bad slabs.

    Found are files of slices that are absent, cut off or changed since they were filed, slices that hold one value or
    NaN, rows that were never written, and jumps of the grey values from a slice to the next. The volume is read
    once, slab by slab.

    With --repair the slabs that are bad are made again from the record's scan by its own frozen protocol, put in their
    place, and compared with the checksums they were filed with. Then all is looked at again.

    In tomodata it is called check_reconstructions, and it answers to that name too.

    Leaves with exit code 0 where all is well, 1 with warnings, 2 with errors, as `tomarium doctor` does.

    \b
    tomarium check record/
    tomarium check volume.tif --json
    tomarium check record/ --repair --scan /data/scan.h5
    """
    from tomarium.catalogue.repair import check
    from tomarium.catalogue.repair import repair as remake
    from tomarium.doctor.every_slice import report_of

    if (scan is not None or memory is not None) and not repair:
        raise click.UsageError("--scan and --memory go with --repair")
    path, tell = path_or_record(path), show.progress()
    volume, faults = check(path, tell=tell)
    remade = remake(path, faults, scan, memory=memory, on_progress=tell) if repair and faults else ()
    if remade:
        volume, faults = check(path, tell=show.progress())
    can = (path / "provenance.json").is_file()
    remedy = (
        f"tomarium check {path} --repair" if can else "copy these slices again, or reconstruct them again"
    )
    if remade:
        remedy = "look at the scan and the protocol: what was made again has this fault too"
    report = report_of(path.name or str(path), faults, volume.shape[0], remedy)
    if as_json:
        slices = [[fault.first, fault.last] for fault in faults]
        show.as_json({**report.as_data(), "slices": slices, "remade": [vars(slice_) for slice_ in remade]})
    else:
        for slice_ in remade:
            click.echo(f"  {slice_.words}")
        tell_report(report)
    code = report.exit_code
    context.exit(max(code, 1) if any(slice_.outcome == "other" for slice_ in remade) else code)
