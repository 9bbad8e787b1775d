"""`tomarium batch`: all scans of a folder by one protocol, in one night."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium import units
from tomarium.cli import executor_options, interrupts, scan_options, show, supervised
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.beamtime.batch_files import Row
    from tomarium.beamtime.batch_plan import Batch, BatchPlan
    from tomarium.catalogue.chosen_run import ChosenRun
    from tomarium.model import Scan
    from tomarium.pipeline.protocol.choice import Choice


@click.command("batch")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FOLDER | volume:FORMAT[,TYPE[,LOW:HIGH|common]]",
    help="Folder of the batch; in a beamtime batches and DIR's name in its folder by default, else that name and "
    "'_batch'. Given again as volume:FORMAT, each volume is written once more into its record, as `tomarium run` does; "
    "with common, uint16 or uint8 within the same limits for all, which are found in the first volume and kept.",
)
@click.option(
    "--match",
    multiple=True,
    metavar="PATTERN",
    help="Only scans of this name, such as 'sampleA_*', or 're:' and a regular expression; may be given often.",
)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Without scans of this name; may be given often."
)
@click.option(
    "--list",
    "listed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Only the scans of a list: text, one a line, below DIR, # before what is left out.",
)
@click.option(
    "--save-list",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the list of the scans that are chosen, to be edited and given to --list.",
)
@click.option("--redo", is_flag=True, help="Make finished results anew, and try again what was left out.")
@click.option(
    "--each-axis", is_flag=True, help="Look for the rotation axis in each scan; so it is done by default."
)
@click.option(
    "--axis-from",
    metavar="SCAN",
    help="Find the rotation axis in this scan, a path or a name of the batch, and use it for all.",
)
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Take protocol, rotation axis, region and Paganin's length of a record, rescaled to the pixel of each scan; "
    "with --each-axis or --axis-from without its axis.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and its time and disk; nothing is made."
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@click.option(
    "--ingest",
    "ingest_them",
    is_flag=True,
    help="File each finished volume in the catalogue as a draft, linked to the record of its raw scan; what cannot be "
    "filed is told, stops nothing, and is tried again by the same command.",
)
@click.option(
    "--catalogue", type=PLACE, help="With --ingest: its file or address; the user's own by default."
)
@executor_options.on
@click.option("--force", is_flag=True, help="Go on where the frames of a scan cannot give a right volume.")
@click.option("--json", "as_json", is_flag=True, help="Print the results for machines.")
@scan_options.opening
@scan_options.steps
def command(
    folder: Path | None,
    outputs: tuple[str, ...],
    match: tuple[str, ...],
    exclude: tuple[str, ...],
    listed: Path | None,
    save_list: Path | None,
    redo: bool,
    each_axis: bool,
    axis_from: str | None,
    like: Path | None,
    dry_run: bool,
    memory: str | None,
    rows: str | None,
    ingest_them: bool,
    catalogue: Path | str | None,
    executor: str,
    force: bool,
    as_json: bool,
    opening: scan_options.Opening,
    choice: Choice,
) -> int:
    """Reconstruct all scans below DIR by one protocol, one after the other, each into a record.

    Time and disk are planned for all before the first begins. A scan that fails is named, and the others are done, also
    where it crashes the program: that goes on in a new process, and leaves it out when it did so three times. The
    same command goes on where it was stopped, keeps what is finished, and takes scans that came since. The folder of
    the batch holds index.html with the middle slices, results.csv, results.json and records/NAME. Without DIR the
    profile of the beamline tells it. In a beamtime, what became of each scan is written into its log book, once each.

    Leaves with exit code 1 where a scan failed or has warnings, 4 where the disk does not hold the results.

    \b
    tomarium batch /data/tonight -p protocol.yaml --match 'sampleA_*' --dry-run
    tomarium batch /data/tonight -p protocol.txt --match 'sampleA_*' --exclude '*_test' -o night
    tomarium batch /data/tonight --save-list scans.txt --dry-run
    tomarium batch /data/tonight --list scans.txt --like night/records/sampleA_001
    tomarium batch /data/tonight --match 're:sample[AB]_0\\d+' --axis-from sampleA_001
    tomarium batch --beamtime /data/20260001 -p protocol.txt --ingest
    tomarium batch /data/tonight -o night -o volume:tiff,uint16,common
    tomarium batch /data/tonight -p protocol.yaml --on slurm:partition=long,cpus=16,memory=64GB
    """
    from tomarium.beamtime.batch import run
    from tomarium.beamtime.batch_plan import plan_batch
    from tomarium.beamtime.file_results import Drafts

    supervised_here = supervised.is_supervised()
    if interrupts.INSTALLED.is_set() and not supervised_here and not dry_run:
        return supervised.supervise(click.get_current_context().find_root().obj)
    if each_axis and axis_from is not None:
        raise click.UsageError("--each-axis looks for the axis in each scan; leave out --axis-from, or it")
    if catalogue is not None and not ingest_them:
        raise click.UsageError("--catalogue is that of --ingest; give both, or leave it out")
    if folder is None:
        folder = opening.in_use.demand_spool("DIR")
    batch = _batch(folder, outputs, match, exclude, listed, save_list, redo, each_axis, axis_from, like, memory, rows,
                   executor, force, opening, choice)  # fmt: skip
    if ingest_them:
        batch = replace(batch, drafts=Drafts(catalogue))
    if dry_run:
        planned = plan_batch(batch)
        if as_json:
            show.as_json(_plan_data(planned))
        else:
            _show_plan(planned, batch.how.folder)
            _show_scripts(planned, batch)
        planned.demand_fit()
        return 1 if any(row.state in ("failed", "differs") for row in planned.rows) else 0
    if batch.drafts is not None:
        click.echo(
            f"filed in the catalogue {batch.drafts.name}", err=True
        )  # a wrong one is told before the night
    result = run(
        batch,
        on_plan=None if as_json else lambda planned: _show_plan(planned, batch.how.folder),
        on_scan=_print_scan,
        on_progress=show.progress(),
    )
    return _print_end(result, batch, as_json)


def _batch(
    folder: Path,
    outputs: tuple[str, ...],
    match: tuple[str, ...],
    exclude: tuple[str, ...],
    listed: Path | None,
    save_list: Path | None,
    redo: bool,
    each_axis: bool,
    axis_from: str | None,
    like: Path | None,
    memory: str | None,
    rows: str | None,
    executor: str,
    force: bool,
    opening: scan_options.Opening,
    choice: Choice,
) -> Batch:
    from tomarium.beamtime.batch_files import RECORDS
    from tomarium.beamtime.batch_plan import Batch
    from tomarium.beamtime.batch_result import Making
    from tomarium.beamtime.beamtime_folder import BATCHES
    from tomarium.beamtime.choose_scans import find_scans, matching, named, read_list, write_list
    from tomarium.beamtime.log_file import MachineLog
    from tomarium.catalogue.chosen_run import chosen_run
    from tomarium.catalogue.copy_parameters import find_record, protocol_like
    from tomarium.catalogue.export import parse_export, with_own_volume
    from tomarium.pipeline.protocol.protocol import default_protocol

    executor = executor_options.resolve(executor, opening)
    name, beamtime = folder.resolve().name, opening.in_use.folder
    folders = [Path(text) for text in outputs if not text.startswith("volume:")]
    if len(folders) > 1:
        raise click.UsageError(
            f"a batch has one folder, but {len(folders)} were given: {', '.join(map(str, folders))}"
        )
    place = (
        folders[0] if folders else (Path(f"{name}_batch") if beamtime is None else beamtime / BATCHES / name)
    )
    below = read_list(listed, folder) if listed is not None else list(find_scans(folder))
    scans = matching(below, folder, match, exclude)
    if save_list is not None:
        write_list(save_list, scans, folder)
        click.echo(f"{save_list}: {len(scans)} scans", err=True)
    if like is None and choice.told("like") is not None:
        like = find_record(choice.told("like"), [place / RECORDS, Path.cwd(), folder])
    # A wrong word is told before any scan is opened.
    choice.protocol(base=None if like is None else protocol_like(like))
    row_range = scan_options.parse_rows(rows)
    exports = tuple(
        parse_export(text, of_batch=True)
        for text in (*outputs, choice.told("volume"))
        if text is not None and text.startswith("volume:")
    )
    asked = exports
    _, exports = with_own_volume(default_protocol(), asked)  # a wrong word is told before any scan is opened
    wishes = choice.instructions.run if choice.instructions else {}
    how = Making(
        folder=place,
        executor=executor,
        memory=memory or choice.told("memory"),
        exports=exports,
        force=force,
        slice_only="slice" in wishes and "whole" not in wishes,
        slice_row=wishes.get("slice"),
    )

    def choose(scan: Scan) -> ChosenRun:
        chosen = chosen_run(scan, choice, like=like, rows=row_range, axis=not each_axis and axis_from is None)
        return replace(chosen, protocol=with_own_volume(chosen.protocol, asked)[0])

    return Batch(
        scans=tuple(scans),
        how=how,
        open=opening.open,
        choose=choose,
        listed=listed is not None,
        anew=redo,
        axis_from=None if axis_from is None else named(axis_from, below, folder),
        log=None if beamtime is None else MachineLog(beamtime, "tomarium batch"),
        careful=supervised.crashes() > 0,
    )


def _show_scripts(planned: BatchPlan, batch: Batch) -> None:
    """Print the scripts of the jobs of the first scan that is to be made."""
    from tomarium.beamtime.batch_result import place_of

    if planned.first is not None and not batch.how.slice_only:
        name, plan = planned.first
        executor_options.show_scripts(plan, place_of(batch.how, name), batch.how.executor)


def _show_plan(planned: BatchPlan, folder: Path) -> None:
    """Say what is to be done, what is there, and what cannot be used."""
    show.warnings(
        f"{name}: the program ended {count} {'time' if count == 1 else 'times'} while it was at work on it; it is "
        f"tried again"
        for name, count in planned.begun.items()
    )
    for row in planned.rows:
        if row.state in ("failed", "differs"):
            show.warnings([f"{row.name}: {row.error}"])
    finished = sum(row.state in ("finished", "warnings") for row in planned.rows)
    click.echo(
        f"{folder}: {len(planned.seconds)} of {len(planned.rows)} scans to do, {finished} finished before; "
        f"about {show.clock(planned.all_seconds)}, {units.show(planned.write_bytes, 'B', 3)} of "
        f"{units.show(planned.free_bytes, 'B', 3)} free on disk"
    )
    if planned.passed_over:
        click.echo(
            f"passed over, for they hold no projections: {len(planned.passed_over)} images and volumes"
        )
    if planned.may_grow:
        count = len(planned.may_grow)
        show.warnings(
            [
                f"{count} {'scan is' if count == 1 else 'scans are'} of a full turn: where the axis lies near an edge "
                f"(half acquisition), a result is up to four times as large as is planned; each is checked again "
                f"before it begins"
            ]
        )
    if planned.seconds:
        click.echo(f"to do: {show.line(', '.join(planned.seconds))}")


def _plan_data(planned: BatchPlan) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "scans": [asdict(row) for row in planned.rows],
        "seconds": planned.seconds,
        "write_bytes": planned.write_bytes,
        "free_bytes": planned.free_bytes,
        "fits": planned.write_bytes <= planned.free_bytes,
        "may_grow": list(planned.may_grow),
        "passed_over": [str(path) for path in planned.passed_over],
    }


def _print_scan(row: Row, number: int, count: int, left_s: float) -> None:
    """Say what became of a scan, and how long the others take."""
    from tomarium.beamtime.batch_files import WORDS

    if row.state in ("failed", "differs"):
        detail = row.error
    else:
        axis = "" if row.axis_column is None else f", axis at {row.axis_column:.2f}"
        detail = axis.removeprefix(", ") + (f" ({row.confidence})" if row.confidence else "")
    time_left = f"; about {show.clock(left_s)} left" if left_s else ""
    message = (
        f"{number} of {count}  {row.name}: {WORDS[row.state]}{f', {detail}' if detail else ''}{time_left}"
    )
    colour = {"failed": "red", "differs": "red", "warnings": "yellow"}.get(row.state)
    click.secho(show.line(message), fg=colour, err=True)


def _print_end(rows: list[Row], batch: Batch, as_json: bool) -> int:
    from dataclasses import asdict

    from tomarium.beamtime.batch_files import PAGE, RECORDS, drafts_in_words, read_results, read_state
    from tomarium.beamtime.batch_page import headline, worst_first

    folder, types = batch.how.folder, {export.dtype for export in batch.how.exports if export.common}
    if as_json:
        show.as_json([asdict(row) for row in rows])
    else:
        show.table(
            [
                (
                    row.name,
                    row.state,
                    "" if row.axis_column is None else f"{row.axis_column:.2f}",
                    row.confidence,
                    "" if row.seconds is None else show.clock(row.seconds),
                    row.error or "; ".join(row.warnings),
                )
                for row in reversed(worst_first(rows))
            ]
        )
        click.echo(f"{folder / PAGE}: {headline(read_results(folder))}")
        for dtype, limits in read_state(folder).limits.items():
            if dtype not in types:
                continue
            click.echo(
                f"{dtype}: {limits['low']:.6g} … {limits['high']:.6g} {limits['unit']} in all volumes, found in "
                f"{limits['scan']}"
            )
        if told := drafts_in_words(rows):
            click.echo(f"{told}; what they lack: tomarium completeness")
        elif (folder / RECORDS).is_dir():
            click.echo(f"file them with: tomarium ingest {folder / RECORDS}/*")
    not_filed = [row for row in rows if row.not_filed]
    show.warnings(f"{row.name} is not filed: {row.not_filed}" for row in not_filed)
    if not_filed:
        click.echo("the same command files them", err=True)
    return 1 if not_filed or any(row.state != "finished" for row in rows) else 0
