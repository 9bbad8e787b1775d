"""`tomarium run`: the whole volume as a record folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import executor_options, scan_options, show

if TYPE_CHECKING:
    from tomarium.pipeline.protocol.choice import Choice


@click.command("run")
@click.argument("path", metavar="SCAN", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FOLDER | volume:FORMAT[,TYPE[,LOW:HIGH]]",
    help="Folder to make; SCAN's name and '_record' by default. Given again as volume:FORMAT, the volume is written "
    "once more into it: tiff, hdf5, vol, mrc, nrrd, metaimage, zarr, jpeg2000 or raw; as float32, uint16 or uint8, the "
    "values LOW:HIGH as least and greatest number, by default the limits of `tomarium convert --dtype`. volume:zarr "
    "with a whole type and LOW:HIGH is the record's own volume: only these numbers are written, in half or a quarter "
    "of the space.",
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@click.option(
    "--crop",
    metavar="auto | Z,Y,X",
    help="Only the box of the object, found by a quick reconstruction; or a box of so many voxels about the middle.",
)
@executor_options.on
@executor_options.on_device
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would be done, with --on slurm by the scripts of its jobs; nothing is made.",
)
@click.option("--title", help="Title of the record.")
@click.option(
    "--again",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Repeat the run this record was made by: the same voxels.",
)
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Take protocol, rotation axis, region and Paganin's length of another scan's record, rescaled to this scan's "
    "pixel; --step, --set, --axis, --roi and --bin change them.",
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
    device: str | None,
    device_memory: str | None,
    dry_run: bool,
    title: str | None,
    again: Path | None,
    like: Path | None,
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
    tomarium run scan.h5 --output volume:zarr,uint16,-0.5:3
    tomarium run scan.h5 --crop auto
    tomarium run scan.h5 -p protocol.txt
    tomarium run second.h5 --like first_record
    tomarium run scan.h5 -p protocol.yaml -o records/tooth --memory 4GB --rows 100:200
    tomarium run scan.h5 --on gpu --device-memory 8GB
    tomarium run scan.h5 --on slurm:partition=long,cpus=16,memory=64GB --dry-run
    tomarium run --again records/tooth -o records/tooth_again
    """
    from tomarium.catalogue.chosen_run import chosen_run
    from tomarium.catalogue.copy_parameters import find_record
    from tomarium.catalogue.export import parse_export, with_own_volume
    from tomarium.catalogue.make_record import make_record, repeat_record
    from tomarium.executors import find_executor
    from tomarium.executors.resources import resources_for
    from tomarium.pipeline.plan.planner import plan

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

    on_progress = show.progress()
    executor = executor_options.resolve(executor, opening)
    if again is not None:
        _demand_as_it_was(opening, choice, crop=crop, like=like, dry_run=dry_run, rows=rows)
        outcome = repeat_record(
            again,
            path,
            output,
            memory=memory,
            executor=executor,
            device=device,
            device_memory=device_memory,
            title=title,
            exports=exports,
            on_progress=on_progress,
        )
    elif path is None:
        raise click.UsageError("give a SCAN, or --again RECORD")
    else:
        if like is None and choice.told("like") is not None:
            like = find_record(choice.told("like"), [Path.cwd(), path.absolute().parent])
        chosen = chosen_run(
            opening.open_scan(path),
            choice,
            like=like,
            rows=scan_options.parse_rows(rows),
            crop=crop,
            on_progress=on_progress,
        )
        show.warnings(chosen.warnings)
        for line in chosen.told:
            click.echo(show.line(line), err=dry_run)
        protocol, exports = with_own_volume(chosen.protocol, exports)
        if dry_run:
            place = output or Path(f"{chosen.scan.name}_record")
            resources = resources_for(
                find_executor(executor), place, memory or choice.told("memory"), device, device_memory
            )
            plan_made = plan(protocol, chosen.scan, resources, rows=chosen.rows)
            executor_options.show_plan(plan_made, place, executor)
            plan_made.demand_fit()
            return 0
        outcome = make_record(
            chosen.scan,
            protocol,
            output,
            memory=memory or choice.told("memory"),
            rows=chosen.rows,
            executor=executor,
            device=device,
            device_memory=device_memory,
            title=title,
            exports=exports,
            force=force,
            on_progress=on_progress,
        )
    show.warnings(outcome.provenance["warnings"])
    show.assumed_ratios(
        (item["step"], item["parameters"]["delta_beta"]["value"], item["parameters"]["delta_beta"]["origin"])
        for stage in outcome.provenance["plan"]["stages"]
        for item in stage["steps"]
        if "delta_beta" in item["parameters"]
    )
    assert outcome.folder is not None
    _tell_casts(outcome.folder)
    show.finished_record(outcome.folder)
    return 1 if outcome.provenance["warnings"] else 0


def _tell_casts(folder: Path) -> None:
    """Say between which limits the volume was cast into each file, and what lay beyond."""
    from tomarium.catalogue.export import exports_of

    for entry in exports_of(folder):
        if "voxels" in entry:
            below, above = (f"{100 * entry[side] / entry['voxels']:.3g} %" for side in ("below", "above"))
            click.echo(
                f"{folder / entry['file']}: {entry['type']} from {entry['low']:g} to {entry['high']:g} "
                f"{entry['unit']}, {entry['limits']}; clipped: {below} of all voxels below, {above} above"
            )


def _demand_as_it_was(
    opening: scan_options.Opening,
    choice: Choice,
    *,
    crop: str | None,
    like: Path | None,
    dry_run: bool,
    rows: str | None,
) -> None:
    """Refuse, beside --again, what would change the run that is repeated."""
    if crop is not None:
        raise click.UsageError("--again makes the part that the record holds; leave out --crop")
    if like is not None:
        raise click.UsageError("--again repeats a run with its own scan; leave out --like")
    if dry_run:
        raise click.UsageError("--again does what the record tells of its run; leave out --dry-run")
    if choice != type(choice)() or rows is not None:
        raise click.UsageError(
            "--again repeats the run as it was; leave out --rows and what changes the protocol (--protocol, "
            "--preset, --step, --set, --bin, --roi, --material), or start from that record by --like"
        )
    if opening.given:
        raise click.UsageError(
            f"--again takes what the record's run was given; leave out {', '.join(opening.given)}"
        )
